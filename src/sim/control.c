#include "control.h"

#include <event2/buffer.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define PREFIX "/_sim/"

bool control_owns(const char *path)
{
	return strncmp(path, PREFIX, strlen(PREFIX)) == 0;
}

/* Sends the object, which is put. */
static void reply(struct evhttp_request *request, int status, json_object *object)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	const char *text = json_object_to_json_string(object);

	evhttp_add_header(headers, "Content-Type", "application/json");
	evbuffer_add_printf(evhttp_request_get_output_buffer(request), "%s\n", text);
	evhttp_send_reply(request, status, NULL, NULL);
	json_object_put(object);
}

static void reply_error(struct evhttp_request *request, int status, const char *text)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "error", json_object_new_string(text));
	reply(request, status, object);
}

static json_object *read_body(struct evhttp_request *request)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	struct json_tokener *tokener = json_tokener_new();
	size_t length = evbuffer_get_length(body);

	if (tokener == NULL)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	json_object *object = json_tokener_parse_ex(
		tokener, (const char *)evbuffer_pullup(body, -1), (int)length);
	bool whole = json_tokener_get_error(tokener) == json_tokener_success;
	json_tokener_free(tokener);
	if (!whole) {
		json_object_put(object);
		return NULL;
	}
	return object;
}

static void change_settings(const struct control *control, struct evhttp_request *request)
{
	struct error err = {0};
	json_object *change = read_body(request);

	if (settings_change(control->settings, change, &err))
		reply(request, 200, settings_to_json(control->settings));
	else
		reply_error(request, 400, err.text);
	json_object_put(change);
}

static void show_settings(const struct control *control, struct evhttp_request *request)
{
	reply(request, 200, settings_to_json(control->settings));
}

static void delete_faults(const struct control *control, struct evhttp_request *request)
{
	struct error err = {0};
	json_object *change = json_object_new_object();

	json_object_object_add(change, "faults", json_object_new_array());
	if (settings_change(control->settings, change, &err))
		show_settings(control, request);
	else
		reply_error(request, 500, err.text);
	json_object_put(change);
}

static void show_stats(const struct control *control, struct evhttp_request *request)
{
	record_flush(control->record);
	reply(request, 200, stats_to_json(control->stats, clock_monotonic_ns()));
}

static void delete_stats(const struct control *control, struct evhttp_request *request)
{
	stats_reset(control->stats, clock_monotonic_ns());
	show_stats(control, request);
}

void control_handle(const struct control *control, struct evhttp_request *request)
{
	static const struct {
		const char *path;
		enum evhttp_cmd_type method;
		void (*handle)(const struct control *control, struct evhttp_request *request);
	} routes[] = {
		{PREFIX "settings", EVHTTP_REQ_GET, show_settings},
		{PREFIX "settings", EVHTTP_REQ_PUT, change_settings},
		{PREFIX "faults", EVHTTP_REQ_DELETE, delete_faults},
		{PREFIX "stats", EVHTTP_REQ_GET, show_stats},
		{PREFIX "stats", EVHTTP_REQ_DELETE, delete_stats},
	};
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	bool known = false;

	for (size_t i = 0; i < array_length(routes); i++) {
		if (strcmp(routes[i].path, path) != 0)
			continue;
		known = true;
		if (routes[i].method == evhttp_request_get_command(request)) {
			routes[i].handle(control, request);
			return;
		}
	}
	if (known)
		reply_error(request, 405, "that method is not for this path");
	else
		reply_error(request, 404, "there is settings, faults and stats");
}
