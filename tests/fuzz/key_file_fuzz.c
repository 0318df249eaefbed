/*
 * The file with the API key: a key that is taken is fit for a header and all of the file but its
 * line end; one that is not leaves the former key in use, and is in no error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/api_key.h"
#include "base/mem.h"
#include "fuzz.h"
#include "io/http_client.h"

#define FORMER "former-key"

static void write_whole(int file, struct bytes content)
{
	REQUIRE(ftruncate(file, 0) == 0);
	REQUIRE(pwrite(file, content.data, content.length, 0) == (ssize_t)content.length);
}

static struct bytes without_line_end(struct bytes content)
{
	if (!bytes_end_with(content, BYTES("\n")))
		return content;
	size_t less = bytes_end_with(content, BYTES("\r\n")) ? 2 : 1;
	return (struct bytes){content.data, content.length - less};
}

/* Eight bytes of the content in a row would give the key away. */
static void check_error(const struct error *err, struct bytes content)
{
	REQUIRE(err->text[0] != '\0');
	size_t length = strlen(err->text);
	for (size_t i = 0; i + 8 <= content.length && i < 64; i++)
		REQUIRE(memmem(err->text, length, content.data + i, 8) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content = {(const char *)data, size};
	unsetenv("CARE360_API_KEY");
	int file = memfd_create("key", MFD_CLOEXEC);
	REQUIRE(file >= 0);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	struct api_key *key = api_key_new(path, NULL);
	REQUIRE(key != NULL);
	bool changed = false;
	write_whole(file, BYTES(FORMER "\n"));
	REQUIRE(api_key_refresh(key, &changed, NULL) && changed);

	struct error err = {0};
	write_whole(file, content);
	bool usable = api_key_refresh(key, &changed, &err);
	struct bytes expected = usable ? without_line_end(content) : BYTES(FORMER);
	REQUIRE(bytes_equal(api_key_bytes(key), expected));
	REQUIRE(usable == http_client_key_valid(without_line_end(content), NULL));
	if (!usable)
		check_error(&err, content);
	api_key_free(key);
	close(file);
	return 0;
}
