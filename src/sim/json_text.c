#include "json_text.h"

#include <stdint.h>

/* How many bytes the well-formed UTF-8 character at `text` has; 0 where there is none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = text[0];
	size_t length = first < 0x80   ? 1
			: first < 0xC0 ? 0
			: first < 0xE0 ? 2
			: first < 0xF0 ? 3
				       : 4;

	if (length < 2)
		return length;
	if (first >= 0xF8 || length > left)
		return 0;
	uint32_t code = first & (0x7Fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3F);
	}
	bool surrogate = code >= 0xD800 && code <= 0xDFFF;
	return code < lowest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

void json_text_append(struct buffer *buffer, struct bytes text)
{
	if (text.data == NULL) {
		buffer_append_text(buffer, "null");
		return;
	}
	const unsigned char *data = (const unsigned char *)text.data;
	size_t plain = 0; /* where the bytes begin that are not yet appended */
	size_t at = 0;
	buffer_append_text(buffer, "\"");
	while (at < text.length) {
		size_t length = utf8_length(data + at, text.length - at);
		bool escaped =
			length == 0 || data[at] < 0x20 || data[at] == '"' || data[at] == '\\';
		if (!escaped) {
			at += length;
			continue;
		}
		buffer_append(buffer, data + plain, at - plain);
		buffer_append_format(buffer, "\\u%s%02x", length == 0 ? "dc" : "00", data[at]);
		plain = ++at;
	}
	buffer_append(buffer, data + plain, at - plain);
	buffer_append_text(buffer, "\"");
}
