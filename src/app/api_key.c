#include "app/api_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define VARIABLE "CARE360_API_KEY"

/* A file written so recently may be written again without its times being seen to change. */
#define SETTLED_MS 2000

struct text {
	char data[API_KEY_MAX + 3]; /* so that one too long is seen, even where it ends in CR LF */
	size_t length;
};

struct api_key {
	char *path;
	struct stat seen; /* the file that the key was read from */
	bool settled;     /* `seen` tells whether the file has changed */
	bool present;
	struct text text;
};

static void close_file(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

static void wipe(struct text *text)
{
	explicit_bzero(text->data, sizeof(text->data));
	text->length = 0;
}

struct api_key *api_key_new(const char *path, struct error *err)
{
	struct api_key *key = mem_new(struct api_key);
	if (key != NULL)
		key->path = strdup(path);
	if (key == NULL || key->path == NULL) {
		api_key_free(key);
		error_memory(err);
		return NULL;
	}
	return key;
}

void api_key_free(struct api_key *key)
{
	if (key == NULL)
		return;
	wipe(&key->text);
	free(key->path);
	free(key);
}

struct bytes api_key_bytes(const struct api_key *key)
{
	if (!key->present)
		return (struct bytes){0};
	return (struct bytes){key->text.data, key->text.length};
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* Whether the file was written last well before it was read, at `now_ms`. */
static bool is_settled(const struct stat *status, int64_t now_ms)
{
	int64_t changed_ms =
		(int64_t)status->st_ctim.tv_sec * 1000 + status->st_ctim.tv_nsec / NS_PER_MS;
	return changed_ms + SETTLED_MS < now_ms;
}

static void strip_line_end(struct text *text)
{
	if (text->length > 0 && text->data[text->length - 1] == '\n')
		text->length--;
	else
		return;
	if (text->length > 0 && text->data[text->length - 1] == '\r')
		text->length--;
}

/* No character of it is in the errors. */
static bool text_valid(const struct text *text, const char *name, struct error *err)
{
	if (text->length == 0)
		return error_set(err, "%s: is empty; it must hold the API key", name);
	if (text->length > API_KEY_MAX)
		return error_set(
			err, "%s: is longer than %d bytes, which no API key is", name, API_KEY_MAX);
	for (size_t i = 0; i < text->length; i++) {
		if (text->data[i] == '\n' || text->data[i] == '\r')
			return error_set(err,
				"%s: holds more than one line; it must hold the API "
				"key alone",
				name);
		if (text->data[i] < '!' || text->data[i] > '~')
			return error_set(err,
				"%s: byte %zu is a space, a control character or not ASCII, which "
				"no API key has",
				name, i + 1);
	}
	return true;
}

static bool read_all(int file, const char *path, struct text *ret_text, struct error *err)
{
	ret_text->length = 0;
	while (ret_text->length < sizeof(ret_text->data)) {
		ssize_t length = read(file, ret_text->data + ret_text->length,
			sizeof(ret_text->data) - ret_text->length);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return error_system(err, errno, "%s: cannot be read", path);
		if (length == 0)
			break;
		ret_text->length += (size_t)length;
	}
	return true;
}

/* *ret_missing: there is no such file, so the environment counts. */
static bool read_file(const char *path, struct text *ret_text, struct stat *ret_status,
	bool *ret_missing, struct error *err)
{
	/* A FIFO that nobody writes to must not hold us up. */
	CLEANUP(close_file) int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	*ret_missing = file < 0 && (errno == ENOENT || errno == ENOTDIR);
	if (file < 0 || fstat(file, ret_status) != 0)
		return error_system(err, errno, "%s: cannot be read", path);
	if (!S_ISREG(ret_status->st_mode))
		return error_set(
			err, "%s: is not a file; care360.api_key_file must name one", path);
	if (!read_all(file, path, ret_text, err))
		return false;
	strip_line_end(ret_text);
	return text_valid(ret_text, path, err);
}

static bool read_variable(const char *path, struct text *ret_text, struct error *err)
{
	const char *value = getenv(VARIABLE);
	if (value == NULL)
		return error_set(err,
			"there is no API key: the file %s does not exist, and " VARIABLE
			" is not set",
			path);
	size_t length = strlen(value);
	ret_text->length = length < sizeof(ret_text->data) ? length : sizeof(ret_text->data);
	memcpy(ret_text->data, value, ret_text->length);
	strip_line_end(ret_text);
	return text_valid(ret_text, VARIABLE, err);
}

static bool seen_before(const struct api_key *key)
{
	struct stat status;
	return key->settled && stat(key->path, &status) == 0 && same_file(&status, &key->seen);
}

bool api_key_refresh(struct api_key *key, bool *ret_changed, struct error *err)
{
	if (seen_before(key)) {
		*ret_changed = false;
		return true;
	}
	CLEANUP(wipe) struct text text = {0};
	struct stat status = {0};
	bool missing = false;
	int64_t now_ms = clock_wall_ms();
	bool usable = read_file(key->path, &text, &status, &missing, err);
	key->settled = usable && is_settled(&status, now_ms);
	key->seen = status;
	if (missing)
		usable = read_variable(key->path, &text, err);
	if (!usable)
		return false;
	*ret_changed = !key->present || text.length != key->text.length ||
		       memcmp(text.data, key->text.data, text.length) != 0;
	if (*ret_changed) {
		wipe(&key->text);
		key->text.length = text.length;
		memcpy(key->text.data, text.data, text.length);
		key->present = true;
	}
	return true;
}
