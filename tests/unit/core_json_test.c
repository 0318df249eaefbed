#include "core/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define DEPTH 8

/* Texts may hold zeros, so their length is counted. */
#define TEXT(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

static struct json_reader *reader;

static int start(void **state)
{
	(void)state;
	reader = json_reader_new(DEPTH, NULL);
	return reader == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	json_reader_free(reader);
	json_reader_free(NULL);
	return 0;
}

/* Reads from a copy that ends where the text does, so that reading further is found. */
static struct json_object *read_text(struct bytes text, struct error *err)
{
	CLEANUP(free_pointer) char *exact = malloc(text.length > 0 ? text.length : 1);
	assert_non_null(exact);
	memcpy(exact, text.data, text.length);
	return json_read_object(reader, (struct bytes){exact, text.length}, err);
}

static void refuses(const struct bytes *texts, size_t count, const char *sentence)
{
	for (size_t i = 0; i < count; i++) {
		struct error err = {0};
		struct json_object *tree = read_text(texts[i], &err);
		if (tree != NULL)
			fail_msg("was read: %s", texts[i].data);
		if (strstr(err.text, sentence) == NULL)
			fail_msg("%s: %s", texts[i].data, err.text);
		assert_false(json_reader_out_of_memory(reader));
	}
}

static void accepts(const struct bytes *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error err = {0};
		struct json_object *tree = read_text(texts[i], &err);
		if (tree == NULL)
			fail_msg("%s: %s", texts[i].data, err.text);
		json_object_put(tree);
	}
}

#define REFUSES(sentence, ...)                                                                     \
	do {                                                                                       \
		const struct bytes texts_[] = {__VA_ARGS__};                                       \
		refuses(texts_, array_length(texts_), (sentence));                                 \
	} while (0)

#define ACCEPTS(...)                                                                               \
	do {                                                                                       \
		const struct bytes texts_[] = {__VA_ARGS__};                                       \
		accepts(texts_, array_length(texts_));                                             \
	} while (0)

static void accepts_all_that_the_grammar_has(void **state)
{
	(void)state;
	ACCEPTS(TEXT("{}"), TEXT(" \t\r\n{ } \t\r\n"), TEXT("{\"\":0}"), TEXT("{\"a\":[]}"),
		TEXT("{\"a\" : [ 1 , 2 , { } ] , \"b\" : { \"a\" : null } }"),
		TEXT("{\"a\":[true,false,null,\"\",0,-0,1.5,-1.5e+10,1E5,0e0,0.0e-0]}"),
		TEXT("{\"a\":\"\\\"\\\\\\/"
		     "\\b\\f\\n\\r\\t\\u0000\\u00e9\\uD83D\\uDE00\\ud83d\\ude00\"}"),
		TEXT("{\"a\":\"\x7f\"}"), TEXT("{\"a\":\"// not /* a comment */\"}"),
		TEXT("{\"a\":\"{[:,]}'\"}"));
}

static void accepts_every_length_of_utf8(void **state)
{
	(void)state;
	ACCEPTS(TEXT("{\"a\":\"\xc2\x80 \xdf\xbf\"}"),
		TEXT("{\"a\":\"\xe0\xa0\x80 \xed\x9f\xbf\"}"),
		TEXT("{\"a\":\"\xee\x80\x80 \xef\xbf\xbe \xef\xbf\xbf\"}"),
		TEXT("{\"a\":\"\xf0\x90\x80\x80 \xf3\xbf\xbf\xbf \xf4\x8f\xbf\xbf\"}"),
		TEXT("{\"\xc3\xa9\":\"\\uFFFE\"}"));
}

static void accepts_a_number_of_any_size(void **state)
{
	(void)state;
	ACCEPTS(TEXT("{\"a\":99999999999999999999999999999999999999999999999999}"),
		TEXT("{\"a\":-99999999999999999999999999999999999999999999999999}"),
		TEXT("{\"a\":1e400}"), TEXT("{\"a\":-1e400}"), TEXT("{\"a\":1e-999999}"),
		TEXT("{\"a\":0.000000000000000000000000000000000000000000000000000000000001}"),
		TEXT("{\"a\":123456789012345678901234567890.123456789012345678901234567890e10}"));
}

static void tells_whether_an_integer_exceeds_64_bits(void **state)
{
	(void)state;
	static const struct {
		struct bytes text;
		bool huge;
	} cases[] = {
		{TEXT("{\"a\":9223372036854775807}"), false},
		{TEXT("{\"a\":18446744073709551615}"), false},
		{TEXT("{\"a\":18446744073709551616}"), true},
		{TEXT("{\"a\":28446744073709551615}"), true},
		{TEXT("{\"a\":100000000000000000000}"), true},
		{TEXT("{\"a\":-9223372036854775808}"), false},
		{TEXT("{\"a\":-9223372036854775809}"), true},
		{TEXT("{\"a\":-18446744073709551615}"), true},
		{TEXT("{\"a\":[{\"b\":99999999999999999999}]}"), true},
		{TEXT("{\"a\":99999999999999999999.5}"), false},
		{TEXT("{\"a\":1e99}"), false},
		{TEXT("{\"a\":\"99999999999999999999\"}"), false},
		{TEXT("{}"), false},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		struct json_object *tree = read_text(cases[i].text, NULL);
		assert_non_null(tree);
		json_object_put(tree);
		if (json_reader_had_huge_integer(reader) != cases[i].huge)
			fail_msg("%s", cases[i].text.data);
	}
}

static void refuses_what_is_not_an_object(void **state)
{
	(void)state;
	REFUSES("not a JSON object", TEXT(""), TEXT("  "), TEXT("[]"), TEXT("[1]"), TEXT("\"a\""),
		TEXT("1"), TEXT("null"), TEXT("true"), TEXT("\0"), TEXT("\0{}"), TEXT("nonsense"),
		TEXT("\xef\xbb\xbf{}"), TEXT("\xfe\xff\0{\0}"), TEXT("/**/{}"), TEXT("}"),
		TEXT("\v{}"), TEXT("\f{}"), TEXT("\xc2\xa0{}"));
	struct error err = {0};
	assert_null(json_read_object(reader, (struct bytes){0}, &err));
	assert_string_equal(err.text, "no text");
}

static void refuses_anything_after_the_object(void **state)
{
	(void)state;
	REFUSES("something after", TEXT("{}{}"), TEXT("{} x"), TEXT("{}\0"), TEXT("{} \0"),
		TEXT("{},"), TEXT("{}}"), TEXT("{}]"), TEXT("{}//"), TEXT("{}\v"), TEXT("{}\x1a"),
		TEXT("{}\xff"));
}

static void refuses_an_unfinished_text(void **state)
{
	(void)state;
	static const char whole[] = "{\"a\":[1.5e3,true,null,\"\\u00e9\\ud83d\\ude00\xc3\xa9\"]}";
	for (size_t length = 0; length < sizeof(whole) - 1; length++)
		assert_null(read_text((struct bytes){whole, length}, NULL));
	ACCEPTS(TEXT(whole));
	REFUSES("unfinished", TEXT("{"), TEXT("{\"a"), TEXT("{\"a\\"), TEXT("{\"a\":1"),
		TEXT("{\"a\":[1,"), TEXT("{\"a\":[{}"));
}

static void refuses_a_member_given_twice(void **state)
{
	(void)state;
	REFUSES("given twice", TEXT("{\"a\":1,\"a\":1}"), TEXT("{\"a\":1,\"b\":2,\"a\":3}"),
		TEXT("{\"a\":1,\"\\u0061\":2}"), TEXT("{\"x\":[{\"y\":{\"a\":{},\"a\":{}}}]}"),
		TEXT("{\"\":1,\"\":2}"), TEXT("{\"a\":null,\"a\":null}"),
		TEXT("{\"a\\/\":1,\"a/\":2}"));
	ACCEPTS(TEXT("{\"a\":1,\"A\":1}"), TEXT("{\"a\":{\"a\":{\"a\":1}}}"),
		TEXT("{\"a\":[{\"b\":1},{\"b\":1}]}"), TEXT("{\"a\":\":\",\"b\":\"a\\\":1,\"}"));
}

static void refuses_a_name_with_a_zero(void **state)
{
	(void)state;
	REFUSES("zero in a member's name", TEXT("{\"a\\u0000\":1}"),
		TEXT("{\"\\u0000\":1,\"\":1}"));
}

static void refuses_wrong_punctuation(void **state)
{
	(void)state;
	REFUSES("at byte", TEXT("{,}"), TEXT("{\"a\":1,}"), TEXT("{\"a\":1,,\"b\":2}"),
		TEXT("{\"a\":[1,]}"), TEXT("{\"a\":[,1]}"), TEXT("{\"a\":[1,,2]}"),
		TEXT("{\"a\":[,]}"), TEXT("{\"a\" 1}"), TEXT("{\"a\"::1}"), TEXT("{\"a\":}"),
		TEXT("{:1}"), TEXT("{\"a\"}"), TEXT("{\"a\":1 \"b\":2}"), TEXT("{\"a\":[1 2]}"),
		TEXT("{\"a\":[1}"), TEXT("{\"a\":{]}"), TEXT("{\"a\":[1:2]}"),
		TEXT("{\"a\":1;\"b\":2}"), TEXT("{\"a\"=1}"), TEXT("{a:1}"), TEXT("{'a':1}"),
		TEXT("{\"a\":'b'}"), TEXT("{1:1}"), TEXT("{null:1}"), TEXT("{[]:1}"),
		TEXT("{\"a\":\"b\"\"c\"}"), TEXT("{\"a\":1]"), TEXT("{\"a\":[]]}"));
}

static void refuses_comments(void **state)
{
	(void)state;
	REFUSES("at byte", TEXT("{/**/}"), TEXT("{\"a\":/*x*/1}"), TEXT("{\"a\":1//x\n}"),
		TEXT("{\"a\":1/*x*/}"), TEXT("{#x\n}"));
}

static void refuses_malformed_numbers(void **state)
{
	(void)state;
	static const char *const numbers[] = {"01", "-01", "00", "+1", "-", "--1", "1.", ".5",
		"-.5", "1.e5", "1e", "1e+", "1E-", "1e5.5", "1.2.3", "0x10", "0X1F", "1_000", "1-2",
		"1+2", "1e1e1", "- 1", "0.", "1f", "1L", "\xef\xbc\x91"};
	for (size_t i = 0; i < array_length(numbers); i++) {
		struct buffer text = {0};
		buffer_append_format(&text, "{\"a\":%s}", numbers[i]);
		refuses(&(struct bytes){text.data, text.length}, 1, "at byte");
		buffer_fini(&text);
	}
	REFUSES("at byte", TEXT("{\"a\":1\0}"));
}

static void refuses_words_that_json_does_not_have(void **state)
{
	(void)state;
	REFUSES("at byte", TEXT("{\"a\":NaN}"), TEXT("{\"a\":nan}"), TEXT("{\"a\":-NaN}"),
		TEXT("{\"a\":Infinity}"), TEXT("{\"a\":-Infinity}"), TEXT("{\"a\":infinity}"),
		TEXT("{\"a\":inf}"), TEXT("{\"a\":True}"), TEXT("{\"a\":TRUE}"),
		TEXT("{\"a\":False}"), TEXT("{\"a\":NULL}"), TEXT("{\"a\":Null}"),
		TEXT("{\"a\":nul}"), TEXT("{\"a\":nulll}"), TEXT("{\"a\":truefalse}"),
		TEXT("{\"a\":undefined}"), TEXT("{\"a\":[nan,1]}"));
}

static void refuses_raw_control_characters_in_strings(void **state)
{
	(void)state;
	for (int c = 0; c < 0x20; c++) {
		char value[] = "{\"a\":\"x?y\"}";
		*strchr(value, '?') = (char)c;
		char name[] = "{\"x?y\":1}";
		*strchr(name, '?') = (char)c;
		REFUSES("raw control character", {value, sizeof(value) - 1},
			{name, sizeof(name) - 1});
	}
}

static void refuses_unknown_escapes(void **state)
{
	(void)state;
	REFUSES("unknown escape", TEXT("{\"a\":\"\\x41\"}"), TEXT("{\"a\":\"\\'\"}"),
		TEXT("{\"a\":\"\\0\"}"), TEXT("{\"a\":\"\\\0\"}"), TEXT("{\"a\":\"\\U00e9\"}"),
		TEXT("{\"a\":\"\\u00g9\"}"), TEXT("{\"a\":\"\\u00\"}"), TEXT("{\"a\":\"\\u 0e9\"}"),
		TEXT("{\"a\":\"\\u-123\"}"), TEXT("{\"a\":\"\\a\"}"), TEXT("{\"a\":\"\\\n\"}"),
		TEXT("{\"\\v\":1}"), TEXT("{\"a\":\"\\u00@1\"}"),
		TEXT("{\"a\":\"\\u00\x10"
		     "1\"}"));
}

static void refuses_lone_surrogates(void **state)
{
	(void)state;
	REFUSES("lone surrogate", TEXT("{\"a\":\"\\ud83d\"}"), TEXT("{\"a\":\"\\ude00\"}"),
		TEXT("{\"a\":\"\\udfff\"}"), TEXT("{\"a\":\"\\ude00\\ude00\"}"),
		TEXT("{\"a\":\"\\ud83dx\"}"), TEXT("{\"a\":\"\\ud83d\\n\"}"),
		TEXT("{\"a\":\"\\ud83d\\u0041\"}"), TEXT("{\"a\":\"\\ud83d\\ud83d\\ude00\"}"),
		TEXT("{\"a\":\"\\ude00\\ud83d\"}"), TEXT("{\"a\":\"\\uDBFF\\uE000\"}"),
		TEXT("{\"a\":\"\\ud83d\\udg00\"}"), TEXT("{\"\\ud800\":1}"));
}

static void refuses_invalid_utf8(void **state)
{
	(void)state;
	static const struct bytes parts[] = {TEXT("\x80"), TEXT("\xbf"), TEXT("\xc0\x80"),
		TEXT("\xc1\xbf"), TEXT("\xc2"), TEXT("\xc2\x41"), TEXT("\xc3\xc3"),
		TEXT("\xe0\x9f\xbf"), TEXT("\xe0\x80\x80"), TEXT("\xe2\x82"), TEXT("\xe2\x82\x41"),
		TEXT("\xed\xa0\x80"), TEXT("\xed\xbf\xbf"), TEXT("\xf0\x8f\xbf\xbf"),
		TEXT("\xf0\x9f\x98"), TEXT("\xf0\x9f\x98\xc0"), TEXT("\xf4\x90\x80\x80"),
		TEXT("\xf5\x80\x80\x80"), TEXT("\xf8\x88\x80\x80\x80"), TEXT("\xfe"), TEXT("\xff"),
		TEXT("\xe9")};
	for (size_t i = 0; i < array_length(parts); i++) {
		struct buffer text = {0};
		buffer_append_text(&text, "{\"a\":\"x");
		buffer_append_bytes(&text, parts[i]);
		buffer_append_text(&text, "\"}");
		refuses(&(struct bytes){text.data, text.length}, 1, "invalid UTF-8 at byte 8");
		buffer_fini(&text);
		assert_false(json_is_utf8(parts[i]));
	}
	REFUSES("invalid UTF-8", TEXT("{\"\xff\":1}"), TEXT("{\"a\":\"\xf0\x9f"));
	REFUSES("at byte", TEXT("{\"a\":\xff}"), TEXT("{\xe9:1}"), TEXT("{\"a\":1\xc2\xa0}"));
	assert_true(json_is_utf8((struct bytes)TEXT("a\xc3\xa9\xf0\x9f\x98\x80")));
	assert_true(json_is_utf8((struct bytes)TEXT("")));
}

static struct bytes nested(struct buffer *text, const char *open, const char *close, int levels)
{
	buffer_append_text(text, "{\"a\":");
	for (int i = 1; i < levels; i++)
		buffer_append_text(text, open);
	buffer_append_text(text, "1");
	for (int i = 1; i < levels; i++)
		buffer_append_text(text, close);
	buffer_append_text(text, "}");
	return buffer_bytes(text);
}

static void refuses_nesting_beyond_its_depth(void **state)
{
	(void)state;
	static const struct {
		const char *open;
		const char *close;
	} kinds[] = {{"[", "]"}, {"{\"b\":", "}"}};
	for (size_t i = 0; i < array_length(kinds); i++)
		for (int levels = 1; levels < 100000;
			levels = levels < 100 ? levels + 1 : levels * 3) {
			struct buffer text = {0};
			struct bytes whole = nested(&text, kinds[i].open, kinds[i].close, levels);
			if (levels <= DEPTH)
				accepts(&whole, 1);
			else
				refuses(&whole, 1, "nested too deeply");
			buffer_fini(&text);
		}
}

static void reads_as_deep_as_the_deepest_reader(void **state)
{
	(void)state;
	struct json_reader *deep = json_reader_new(JSON_READER_DEPTH_MAX, NULL);
	for (int levels = 60; levels < 70; levels++) {
		struct buffer text = {0};
		struct bytes whole = nested(&text, "[{\"b\":", "}]", levels / 2);
		struct json_object *tree = json_read_object(deep, whole, NULL);
		assert_int_equal(tree != NULL, 2 * (levels / 2 - 1) + 1 <= JSON_READER_DEPTH_MAX);
		json_object_put(tree);
		buffer_fini(&text);
	}
	json_reader_free(deep);
}

static void a_refusal_names_the_place_and_quotes_nothing(void **state)
{
	(void)state;
	struct error err = {0};
	assert_null(read_text((struct bytes)TEXT("{\"email\":\"jane@b.org\",\"x\":jane}"), &err));
	assert_string_equal(err.text, "not a value at byte 27");
}

static void is_not_confused_by_what_it_read_before(void **state)
{
	(void)state;
	REFUSES("unfinished", TEXT("{\"a\":{\"b\":\"c"));
	REFUSES("given twice", TEXT("{\"a\":1,\"a\":1}"));
	ACCEPTS(TEXT("{\"a\":\"b\"}"));
}

static void gives_a_string_with_its_zeros(void **state)
{
	(void)state;
	struct json_object *tree = read_text((struct bytes)TEXT("{\"a\":\"x\\u0000y\"}"), NULL);
	struct bytes value = json_string_bytes(json_object_object_get(tree, "a"));
	assert_int_equal(value.length, 3);
	assert_memory_equal(value.data, "x\0y", 3);
	json_object_put(tree);
}

/* --- single members --- */

/* The object of a text that outlives the reading. */
static struct json_value object_of(const char *text)
{
	struct json_value object;
	struct error err = {0};
	if (!json_read(reader, bytes_of_text(text), &object, &err))
		fail_msg("%s: %s", text, err.text);
	return object;
}

static void finds_each_member_with_its_kind_and_text(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum json_kind kind;
		const char *text;
	} members[] = {
		{"n", JSON_NULL, "null"},
		{"b", JSON_BOOLEAN, "false"},
		{"i", JSON_INTEGER, "-9223372036854775808"},
		{"u", JSON_INTEGER, "18446744073709551615"},
		{"h", JSON_NUMBER, "18446744073709551616"},
		{"d", JSON_NUMBER, "1.0"},
		{"s", JSON_STRING, "\"x\""},
		{"a", JSON_ARRAY, "[ {\"s\":1} , [ ] ]"},
		{"o", JSON_OBJECT, "{ \"s\" : {} }"},
		{"", JSON_STRING, "\"\""},
	};
	struct buffer text = {0};
	for (size_t i = 0; i < array_length(members); i++)
		buffer_append_format(&text, "%s\"%s\" : %s ", i == 0 ? "{ " : ", ", members[i].name,
			members[i].text);
	buffer_append_text(&text, "}");
	struct json_value object = object_of(buffer_text(&text));
	for (size_t i = 0; i < array_length(members); i++) {
		struct json_value value = json_member(reader, object, members[i].name);
		assert_int_equal(value.kind, members[i].kind);
		assert_true(bytes_equal(value.text, bytes_of_text(members[i].text)));
	}
	assert_int_equal(json_member(reader, object, "N").kind, JSON_ABSENT);
	buffer_fini(&text);
}

static void finds_members_of_the_object_that_is_meant(void **state)
{
	(void)state;
	struct json_value outer =
		object_of("{\"x\":{\"y\":1,\"x\":{\"y\":2}},\"a\":[{\"y\":3}],\"z\":{},\"y\":4}");
	struct json_value middle = json_member(reader, outer, "x");
	struct json_value inner = json_member(reader, middle, "x");
	struct json_value empty = json_member(reader, outer, "z");
	assert_memory_equal(json_member(reader, outer, "y").text.data, "4", 1);
	assert_memory_equal(json_member(reader, middle, "y").text.data, "1", 1);
	assert_memory_equal(json_member(reader, inner, "y").text.data, "2", 1);
	assert_int_equal(json_member(reader, empty, "y").kind, JSON_ABSENT);
	assert_int_equal(
		json_member(reader, json_member(reader, outer, "a"), "y").kind, JSON_ABSENT);
	assert_int_equal(
		json_member(reader, json_member(reader, outer, "y"), "y").kind, JSON_ABSENT);
}

static void finds_a_name_however_it_is_spelt(void **state)
{
	(void)state;
	struct json_value object = object_of("{\"\\u0065m\\u0061il\":1,\"a\\/b\":2}");
	assert_memory_equal(json_member(reader, object, "email").text.data, "1", 1);
	assert_memory_equal(json_member(reader, object, "a/b").text.data, "2", 1);
	assert_int_equal(json_member(reader, object, "a\\/b").kind, JSON_ABSENT);
}

static void decodes_strings_and_keeps_them_all(void **state)
{
	(void)state;
	struct json_value object = object_of(
		"{\"plain\":\"\xc3\xa9\",\"zero\":\"x\\u0000y\",\"all\":"
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\",\"empty\":\"\",\"no\":5}");
	struct bytes zero = json_string(reader, json_member(reader, object, "zero"));
	struct bytes all = json_string(reader, json_member(reader, object, "all"));
	struct bytes plain = json_string(reader, json_member(reader, object, "plain"));
	struct bytes empty = json_string(reader, json_member(reader, object, "empty"));
	assert_true(bytes_equal(zero, BYTES("x\0y")));
	assert_true(bytes_equal(all, BYTES("\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80")));
	assert_true(bytes_equal(plain, BYTES("\xc3\xa9")));
	assert_true(bytes_equal(empty, BYTES("")));
	assert_null(json_string(reader, json_member(reader, object, "no")).data);
	assert_null(json_string(reader, (struct json_value){0}).data);
}

/* Many members take another way than few: neither may miss one. */
static void finds_members_and_repeats_among_any_number(void **state)
{
	(void)state;
	for (int count = 1; count < 3000; count += count < 40 ? 1 : 977) {
		struct buffer text = {0};
		for (int i = 0; i < count; i++)
			buffer_append_format(&text, "%c\"m%d\":{\"same\":%d}", i == 0 ? '{' : ',',
				count - i, count - i);
		buffer_append_text(&text, "}");
		struct json_value object = object_of(buffer_text(&text));
		for (int i = 1; i <= count; i += 1 + count / 7) {
			char name[16];
			snprintf(name, sizeof(name), "m%d", i);
			struct json_value value = json_member(reader, object, name);
			value = json_member(reader, value, "same");
			assert_int_equal(strtol(value.text.data, NULL, 10), i);
		}
		text.length--;
		buffer_append_format(&text, ",\"m%d\":0}", 1 + count / 2);
		refuses(&(struct bytes){text.data, text.length}, 1, "given twice");
		buffer_fini(&text);
	}
}

static void finds_control_characters(void **state)
{
	(void)state;
	static const struct bytes with[] = {TEXT("\0"), TEXT("a\x01"), TEXT("\x1f"), TEXT("\x7f"),
		TEXT("x\xc2\x80"), TEXT("\xc2\x9f")};
	static const struct bytes without[] = {TEXT(""), TEXT(" ~"), TEXT("\xc2\xa0"),
		TEXT("\xe2\x80\xa8"), TEXT("\xc3\x82\xc3\x82")};
	for (size_t i = 0; i < array_length(with); i++)
		assert_true(json_has_control(with[i]));
	for (size_t i = 0; i < array_length(without); i++)
		assert_false(json_has_control(without[i]));
}

static void writes_strings_that_it_reads_back(void **state)
{
	(void)state;
	struct buffer text = {0};
	json_append_string(&text, (struct bytes)TEXT("a\"b\\c/\xc3\xa9\x1f\n\x7f\0z"));
	assert_string_equal(
		buffer_text(&text), "\"a\\\"b\\\\c/\xc3\xa9\\u001f\\u000a\\u007f\\u0000z\"");
	buffer_clear(&text);
	json_append_string(&text, (struct bytes)TEXT(""));
	assert_string_equal(buffer_text(&text), "\"\"");

	char all[512];
	size_t length = 0;
	for (int c = 0; c < 0x80; c++)
		all[length++] = (char)c;
	buffer_clear(&text);
	buffer_append_text(&text, "{\"a\":");
	json_append_string(&text, (struct bytes){all, length});
	buffer_append_text(&text, "}");
	struct json_object *tree = json_read_object(reader, buffer_bytes(&text), NULL);
	assert_non_null(tree);
	struct bytes value = json_string_bytes(json_object_object_get(tree, "a"));
	assert_true(bytes_equal(value, (struct bytes){all, length}));
	json_object_put(tree);
	buffer_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_all_that_the_grammar_has),
		cmocka_unit_test(accepts_every_length_of_utf8),
		cmocka_unit_test(accepts_a_number_of_any_size),
		cmocka_unit_test(tells_whether_an_integer_exceeds_64_bits),
		cmocka_unit_test(refuses_what_is_not_an_object),
		cmocka_unit_test(refuses_anything_after_the_object),
		cmocka_unit_test(refuses_an_unfinished_text),
		cmocka_unit_test(refuses_a_member_given_twice),
		cmocka_unit_test(refuses_a_name_with_a_zero),
		cmocka_unit_test(refuses_wrong_punctuation),
		cmocka_unit_test(refuses_comments),
		cmocka_unit_test(refuses_malformed_numbers),
		cmocka_unit_test(refuses_words_that_json_does_not_have),
		cmocka_unit_test(refuses_raw_control_characters_in_strings),
		cmocka_unit_test(refuses_unknown_escapes),
		cmocka_unit_test(refuses_lone_surrogates),
		cmocka_unit_test(refuses_invalid_utf8),
		cmocka_unit_test(refuses_nesting_beyond_its_depth),
		cmocka_unit_test(reads_as_deep_as_the_deepest_reader),
		cmocka_unit_test(a_refusal_names_the_place_and_quotes_nothing),
		cmocka_unit_test(is_not_confused_by_what_it_read_before),
		cmocka_unit_test(gives_a_string_with_its_zeros),
		cmocka_unit_test(finds_each_member_with_its_kind_and_text),
		cmocka_unit_test(finds_members_of_the_object_that_is_meant),
		cmocka_unit_test(finds_a_name_however_it_is_spelt),
		cmocka_unit_test(decodes_strings_and_keeps_them_all),
		cmocka_unit_test(finds_members_and_repeats_among_any_number),
		cmocka_unit_test(finds_control_characters),
		cmocka_unit_test(writes_strings_that_it_reads_back),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
