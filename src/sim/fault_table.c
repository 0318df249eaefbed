#include "fault_table.h"

#include "base/mem.h"

#define OPEN_10  "[[[[[[[[[["
#define CLOSE_10 "]]]]]]]]]]"
#define ID       "e1e3f5c1-6f12-4e0d-a442-7a9ff31319da"

/* A reply of 200 whose body is not the documented one. */
#define WRONG_JSON(name, text, help)                                                               \
	{                                                                                          \
		(name), FAULT_REPLY, 200, 0, 0, 0, (text), (help)                                  \
	}

/* A reply of 400 in the documented shape. */
#define ERROR_TEXT(name, keys, text, help)                                                         \
	{                                                                                          \
		(name), FAULT_REPLY, 400, (keys), 0, 0, (text), (help)                             \
	}

const struct fault_type fault_types[] = {
	{"status_", FAULT_STATUS, 0, KEY_BODY | KEY_RETRY_AFTER | KEY_LOCATION, 0, 0, NULL,
		"status_300 to status_599: that status"},
	{"html", FAULT_REPLY, 200, 0, 0, 0,
		"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>\n",
		"200 with a maintenance page"},
	{"key_invalid", FAULT_KEY_INVALID, 400, 0, 0, 0, NULL,
		"the documented errors, whatever the request is"},
	ERROR_TEXT("key_missing", 0, "Secret key not provided!", NULL),
	ERROR_TEXT("email_missing", 0, "Email id not provided!", NULL),
	ERROR_TEXT("no_case", 0, "No Case found for provided details!", NULL),
	ERROR_TEXT("unknown_text", KEY_TEXT, "Something nobody documented happened!",
		"400 in the documented shape with another text"),
	WRONG_JSON("json_no_case", "{\"status\": 200, \"success\": true}", "200 with wrong JSON"),
	WRONG_JSON("json_case_null", "{\"status\": 200, \"success\": true, \"case\": null}", NULL),
	WRONG_JSON("json_case_text", "{\"status\": 200, \"success\": true, \"case\": \"" ID "\"}",
		NULL),
	WRONG_JSON("json_no_id", "{\"status\": 200, \"success\": true, \"case\": {}}", NULL),
	WRONG_JSON("json_id_null", "{\"status\": 200, \"success\": true, \"case\": {\"id\": null}}",
		NULL),
	WRONG_JSON("json_id_number", "{\"status\": 200, \"success\": true, \"case\": {\"id\": 42}}",
		NULL),
	WRONG_JSON("json_id_object",
		"{\"status\": 200, \"success\": true, \"case\": {\"id\": {\"id\": \"" ID "\"}}}",
		NULL),
	WRONG_JSON("json_id_empty",
		"{\"status\": 200, \"success\": true, \"case\": {\"id\": \"\"}}", NULL),
	WRONG_JSON("json_id_zero",
		"{\"status\": 200, \"success\": true, \"case\": {\"id\": \"e1e3\\u0000f5c1\"}}",
		NULL),
	WRONG_JSON("json_id_not_utf8",
		"{\"status\": 200, \"success\": true, \"case\": {\"id\": \"\xff\xfe\"}}", NULL),
	WRONG_JSON("json_duplicate",
		"{\"status\": 200, \"success\": true, \"case\": {\"id\": \"" ID
		"\", \"id\": \"another\"}}",
		NULL),
	WRONG_JSON("json_success_false",
		"{\"status\": 200, \"success\": false, \"case\": {\"id\": \"" ID "\"}}", NULL),
	WRONG_JSON("json_error_in_200",
		"{\"status\": 400, \"success\": false, \"message\": \"Invalid case data\", "
		"\"error\": \"No Case found for provided details!\", \"code\": \"CASE_ERROR\"}",
		NULL),
	WRONG_JSON("json_broken", "{\"status\": 200, \"success\": true, \"case\": {\"id\": \"" ID,
		NULL),
	WRONG_JSON("json_trailing",
		"{\"status\": 200, \"success\": true, \"case\": {\"id\": \"" ID "\"}} {}", NULL),
	WRONG_JSON("json_array",
		"[{\"status\": 200, \"success\": true, \"case\": {\"id\": \"" ID "\"}}]", NULL),
	WRONG_JSON("json_deep",
		"{\"status\": 200, \"success\": true, \"case\": {\"id\": \"" ID
		"\"}, \"deep\": " OPEN_10 OPEN_10 OPEN_10 OPEN_10 CLOSE_10 CLOSE_10 CLOSE_10
			CLOSE_10 "}",
		NULL),
	WRONG_JSON("json_null", "null", NULL),
	WRONG_JSON("json_empty_body", "", NULL),
	{"slow", FAULT_SLOW, 0, KEY_MS, 0, 1000, NULL, "the right reply, so many ms later"},
	{"padded", FAULT_PADDED, 0, KEY_BYTES, 60000, 0, NULL,
		"the right reply, its body behind so many blanks"},
	{"reset", FAULT_RESET, 0, 0, 0, 0, NULL, "connection reset before any byte of a reply"},
	{"reset_mid_body", FAULT_RESET_MID_BODY, 200, 0, 0, 0, NULL, "reset inside the body"},
	{"close", FAULT_CLOSE, 0, 0, 0, 0, NULL, "orderly end before any byte of a reply"},
	{"close_after", FAULT_CLOSE_AFTER, 200, KEY_MS, 0, 0, NULL,
		"the right reply, then, so many ms later, an end that no header announced"},
	{"hang", FAULT_HANG, 0, 0, 0, 0, NULL, "nothing, until the client leaves"},
	{"hang_mid_body", FAULT_HANG_MID_BODY, 200, 0, 0, 0, NULL, "half a body, then the same"},
	{"truncated", FAULT_TRUNCATED, 200, 0, 0, 0, NULL,
		"half the body that Content-Length promises, then an orderly end"},
	{"garbage", FAULT_GARBAGE, 0, 0, 0, 0, NULL, "something that is no HTTP"},
	{"drip", FAULT_DRIP, 200, KEY_MS, 0, 1000, NULL,
		"the right reply, its body a byte at a time, so many ms apart"},
	{"huge_body", FAULT_HUGE_BODY, 200, KEY_BYTES | KEY_FRAMING, INT64_C(1) << 30, 0, NULL,
		"a found case whose id has so many bytes"},
	{"header_flood", FAULT_HEADER_FLOOD, 200, KEY_BYTES, 10 << 20, 0, NULL,
		"the right reply behind so many bytes of headers"},
	{"gzip_bomb", FAULT_GZIP_BOMB, 200, 0, 0, 0, NULL,
		"1.7 MB with Content-Encoding gzip that become 270 MB"},
};
const size_t fault_type_count = array_length(fault_types);

const struct fault_key fault_keys[] = {
	{"percent", KEY_PERCENT, json_type_double,
		"of the requests that match (100); the percentages of several faults add up"},
	{"match", KEY_MATCH, json_type_string,
		"only where the e-mail or the phone number begins so"},
	{"count", KEY_COUNT, json_type_int, "only the first so many requests"},
	{"body", KEY_BODY, json_type_string, "json or html (json)"},
	{"retry_after", KEY_RETRY_AFTER, json_type_string,
		"the Retry-After header: seconds, a date or any text"},
	{"location", KEY_LOCATION, json_type_string, "the Location header"},
	{"text", KEY_TEXT, json_type_string, "the member `error`"},
	{"bytes", KEY_BYTES, json_type_int, "how many"},
	{"ms", KEY_MS, json_type_int, "how long"},
	{"framing", KEY_FRAMING, json_type_string,
		"how the body's end is told: length, chunked or close (length)"},
};
const size_t fault_key_count = array_length(fault_keys);
