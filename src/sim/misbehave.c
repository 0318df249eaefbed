#include "misbehave.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_BYTES 65536

static void append_repeated(struct buffer *buffer, const void *data, size_t length, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buffer_append(buffer, data, length);
}

/* White space in front of JSON means nothing. */
static void pad(struct buffer *body, size_t blanks)
{
	CLEANUP(buffer_fini) struct buffer bare = *body;

	*body = (struct buffer){0};
	append_repeated(body, " ", 1, blanks);
	buffer_append_bytes(body, buffer_bytes(&bare));
}

void misbehave_answer(const struct fault *fault, const char *api_key, struct answer *answer)
{
	switch (fault->kind) {
	case FAULT_STATUS:
		answer_status(answer, fault->status, fault->html);
		if (fault->retry_after != NULL)
			answer->retry_after = strdup(fault->retry_after);
		if (fault->location != NULL)
			answer->location = strdup(fault->location);
		break;
	case FAULT_PADDED:
		pad(&answer->body, (size_t)fault->bytes);
		break;
	case FAULT_KEY_INVALID:
		answer_key_invalid(answer, api_key);
		break;
	case FAULT_REPLY:
		if (fault->status == 400) {
			answer_case_error(answer, fault->text);
			break;
		}
		answer->status = fault->status;
		answer->content_type = fault->text[0] == '<' ? "text/html" : "application/json";
		buffer_clear(&answer->body);
		buffer_append_text(&answer->body, fault->text);
		break;
	default:
		break;
	}
}

/* The status line and the headers of an answer, without the empty line. */
static void append_status(struct buffer *head, const struct answer *answer)
{
	buffer_append_format(head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n", answer->status,
		answer_reason(answer->status), answer->content_type);
}

/* All headers of an answer whose body is sent whole or in part. */
static void append_head(struct buffer *head, const struct answer *answer)
{
	append_status(head, answer);
	buffer_append_format(head, "Content-Length: %zu\r\n\r\n", answer->body.length);
}

static void append_half(struct buffer *head, const struct answer *answer)
{
	append_head(head, answer);
	buffer_append(head, answer->body.data, answer->body.length / 2);
}

/* A found case whose id is as long as the fault says, valid to its last byte. */
static void huge_body(const struct fault *fault, struct wire_script *script)
{
	static const char before[] = "{\"status\": 200, \"success\": true, \"case\": {\"id\": \"";
	static const char after[] = "\"}}";
	char block[BLOCK_BYTES];
	uint64_t bytes = (uint64_t)fault->bytes;

	memset(block, 'a', sizeof(block));
	buffer_append_text(&script->head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
	if (fault->framing == FRAMING_CHUNKED) {
		buffer_append_format(&script->head,
			"Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n", sizeof(before) - 1,
			before);
		buffer_append_format(&script->pattern, "%x\r\n", BLOCK_BYTES);
		buffer_append(&script->pattern, block, sizeof(block));
		buffer_append_text(&script->pattern, "\r\n");
		script->fill = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * script->pattern.length;
		buffer_append_format(
			&script->tail, "%zx\r\n%s\r\n0\r\n\r\n", sizeof(after) - 1, after);
		return;
	}
	if (fault->framing == FRAMING_LENGTH)
		buffer_append_format(&script->head, "Content-Length: %llu\r\n",
			(unsigned long long)(bytes + sizeof(before) + sizeof(after) - 2));
	buffer_append_format(&script->head, "Connection: close\r\n\r\n%s", before);
	buffer_append(&script->pattern, block, sizeof(block));
	script->fill = bytes;
	buffer_append_text(&script->tail, after);
}

static void header_flood(
	const struct fault *fault, const struct answer *answer, struct wire_script *script)
{
	static const char line[] =
		"X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
	size_t length = sizeof(line) - 1;

	append_status(&script->head, answer);
	append_repeated(&script->pattern, line, length, BLOCK_BYTES / length);
	script->fill = ((uint64_t)fault->bytes + length - 1) / length * length;
	buffer_append_format(&script->tail, "Content-Length: %zu\r\nConnection: close\r\n\r\n",
		answer->body.length);
	buffer_append_bytes(&script->tail, buffer_bytes(&answer->body));
}

/*
 * A gzip file of 270,532,867 zeros, valid to its checksum and made without a compressor. In
 * deflate's fixed code one literal and one "258 bytes from 1 byte back" end with a whole byte, and
 * so do every eight more of the latter: those 13 bytes repeat.
 */
static void gzip_bomb(struct wire_script *script)
{
	static const unsigned char start[] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0x63, 0x18, 0x05};
	static const unsigned char zeros[] = {
		0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18, 0x05};
	static const unsigned char end[] = {0, 0x86, 0x3f, 0x14, 0x72, 0x03, 0x01, 0x20, 0x10};
	const size_t repeats = 131072;

	buffer_append_format(&script->head,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		"Content-Encoding: gzip\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		sizeof(start) + repeats * sizeof(zeros) + sizeof(end));
	buffer_append(&script->head, start, sizeof(start));
	append_repeated(&script->pattern, zeros, sizeof(zeros), BLOCK_BYTES / sizeof(zeros));
	script->fill = repeats * sizeof(zeros);
	buffer_append(&script->tail, end, sizeof(end));
}

bool misbehave_script(
	const struct fault *fault, const struct answer *answer, struct wire_script *script)
{
	script->end = WIRE_CLOSE;
	switch (fault->kind) {
	case FAULT_RESET:
		script->end = WIRE_RESET;
		return true;
	case FAULT_RESET_MID_BODY:
		append_half(&script->head, answer);
		script->end = WIRE_RESET;
		/* What is not yet read when a reset arrives may be lost, and the head should not.
		 */
		script->end_ms = 20;
		return true;
	case FAULT_CLOSE:
		return true;
	case FAULT_CLOSE_AFTER:
		append_head(&script->head, answer);
		buffer_append_bytes(&script->head, buffer_bytes(&answer->body));
		script->end_ms = fault->ms;
		return true;
	case FAULT_HANG:
		script->end = WIRE_HOLD;
		return true;
	case FAULT_HANG_MID_BODY:
		append_half(&script->head, answer);
		script->end = WIRE_HOLD;
		return true;
	case FAULT_TRUNCATED:
		append_half(&script->head, answer);
		return true;
	case FAULT_GARBAGE:
		buffer_append_text(&script->head, "220 mail.example.org ESMTP ready\r\n\r\n");
		return true;
	case FAULT_DRIP:
		append_head(&script->head, answer);
		buffer_append_bytes(&script->tail, buffer_bytes(&answer->body));
		script->drip_ms = fault->ms;
		return true;
	case FAULT_HUGE_BODY:
		huge_body(fault, script);
		return true;
	case FAULT_HEADER_FLOOD:
		header_flood(fault, answer, script);
		return true;
	case FAULT_GZIP_BOMB:
		gzip_bomb(script);
		return true;
	default:
		return false;
	}
}
