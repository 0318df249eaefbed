#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(struct error *err, int length)
{
	if (length >= (int)sizeof(err->text))
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
}

__attribute__((format(printf, 2, 0))) static void write_text(
	struct error *err, const char *format, va_list args)
{
	mark_cut(err, vsnprintf(err->text, sizeof(err->text), format, args));
}

bool error_set(struct error *err, const char *format, ...)
{
	if (err == NULL)
		return false;
	va_list args;
	va_start(args, format);
	write_text(err, format, args);
	va_end(args);
	return false;
}

bool error_append(struct error *err, const char *format, ...)
{
	if (err == NULL)
		return false;
	size_t used = strlen(err->text);
	va_list args;
	va_start(args, format);
	int length = vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
	va_end(args);
	mark_cut(err, (int)used + length);
	return false;
}

bool error_system(struct error *err, int number, const char *format, ...)
{
	if (err == NULL)
		return false;
	va_list args;
	va_start(args, format);
	write_text(err, format, args);
	va_end(args);

	char buffer[128];
	const char *reason = strerror_r(number, buffer, sizeof(buffer));
	return error_append(err, ": %s", reason);
}

bool error_prefix(struct error *err, const char *format, ...)
{
	if (err == NULL)
		return false;
	struct error inner = *err;
	va_list args;
	va_start(args, format);
	write_text(err, format, args);
	va_end(args);
	error_append(err, ": %s", inner.text);
	return false;
}

bool error_memory(struct error *err)
{
	return error_set(err, "out of memory");
}
