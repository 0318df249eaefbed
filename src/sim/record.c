#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "json_text.h"

#define HELD_BYTES 65536

struct record {
	int descriptor;
	bool complained;
	struct buffer held;
};

struct record *record_open(const char *path, struct error *err)
{
	struct record *record = mem_new(struct record);
	if (record == NULL) {
		error_memory(err);
		return NULL;
	}
	record->descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (record->descriptor < 0) {
		error_system(err, errno, "the record %s cannot be opened", path);
		free(record);
		return NULL;
	}
	return record;
}

void record_close(struct record *record)
{
	if (record == NULL)
		return;
	record_flush(record);
	close(record->descriptor);
	buffer_fini(&record->held);
	free(record);
}

static void append_member(struct buffer *line, const char *name, struct bytes text)
{
	buffer_append_format(line, ", \"%s\": ", name);
	json_text_append(line, text);
}

void record_add(struct record *record, const struct record_line *line)
{
	struct buffer *held = &record->held;
	const struct {
		const char *name;
		struct bytes text;
	} texts[] = {
		{"method", bytes_of_text(line->method)},
		{"path", bytes_of_text(line->path)},
		{"query", bytes_of_text(line->query)},
		{"email", line->identity->email},
		{"phone", line->identity->phone},
		{"host", bytes_of_text(line->host)},
		{"api_key", bytes_of_text(line->api_key)},
		{"content_type", bytes_of_text(line->content_type)},
		{"traceparent", bytes_of_text(line->traceparent)},
		{"reply", bytes_of_text(line->reply)},
		{"fault", bytes_of_text(line->fault)},
	};

	buffer_append_format(held, "{\"time_ms\": %.3f", (double)line->now / (double)NS_PER_MS);
	for (size_t i = 0; i < array_length(texts); i++)
		append_member(held, texts[i].name, texts[i].text);
	if (line->status == 0)
		buffer_append_text(held, ", \"status\": null");
	else
		buffer_append_format(held, ", \"status\": %d", line->status);
	buffer_append_format(held, ", \"concurrent\": %lld, \"peer_port\": %d}\n",
		(long long)line->concurrent, line->peer_port);
	if (held->length >= HELD_BYTES)
		record_flush(record);
}

void record_flush(struct record *record)
{
	if (record == NULL)
		return;
	size_t done = 0;
	while (done < record->held.length) {
		ssize_t count = write(
			record->descriptor, record->held.data + done, record->held.length - done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			if (!record->complained)
				fprintf(stderr, "care360-sim: the record cannot be written: %s\n",
					strerror(errno));
			record->complained = true;
			break;
		}
		done += (size_t)count;
	}
	buffer_clear(&record->held);
}
