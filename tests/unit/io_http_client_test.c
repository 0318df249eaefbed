#include <semaphore.h>

#include "http_client_fixture.h"

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void gives_status_body_and_duration(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	int64_t before = clock_monotonic_ns();
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_int_equal(f.status, 200);
	assert_string_equal(buffer_text(&f.body), "hello");
	assert_string_equal(f.retry_after, "");
	assert_true(f.duration_ns > 0 && f.duration_ns <= clock_monotonic_ns() - before);
	stop(&f);
}

static void encodes_all_but_unreserved_characters(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	const struct http_request both = {
		.email = BYTES("Az09-._~ +@&=#%/?\x01\xc3\xa9"), .phone = BYTES("+1 555")};
	begin(&f, &both, NULL);
	await(&f);
	assert_first_line(&f, 0,
		"GET /api/v1/customer-latest-case-id"
		"?email=Az09-._~%20%2B%40%26%3D%23%25%2F%3F%01%C3%A9&phoneNumber=%2B1%20555 "
		"HTTP/1.1");
	begin(&f, &(struct http_request){.phone = BYTES("+15550100")}, NULL);
	await(&f);
	assert_first_line(
		&f, 1, "GET /api/v1/customer-latest-case-id?phoneNumber=%2B15550100 HTTP/1.1");
	stop(&f);
}

static void encodes_long_texts_whole(void **state)
{
	(void)state;
	struct fixture f;
	char email[1024];
	char line[4096] = "GET /api/v1/customer-latest-case-id?email=";
	START(&f, {.reply = FOUND});
	memset(email, '@', sizeof(email));
	for (size_t i = 0; i < sizeof(email); i++)
		memcpy(line + strlen(line), "%40", 4);
	memcpy(line + strlen(line), " HTTP/1.1", sizeof(" HTTP/1.1"));
	begin(&f, &(struct http_request){.email = {email, sizeof(email)}}, NULL);
	await(&f);
	assert_first_line(&f, 0, line);
	stop(&f);
}

static void sends_the_headers_of_the_documentation(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	look_up(&f, "a@b.org");
	assert_true(has_line(&f, 0, "CV-Api-Key: first-key"));
	assert_true(has_line(&f, 0, "Content-Type: application/json"));
	assert_true(has_line(&f, 0, "Accept: application/json"));
	assert_non_null(strstr(server_request(f.server, 0), "\r\nUser-Agent: care360-lookup/"));
	assert_null(strcasestr(server_request(f.server, 0), "accept-encoding"));
	assert_null(strcasestr(server_request(f.server, 0), "traceparent"));
	stop(&f);
}

#define LATER_VERSION "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* W3C Trace Context, Level 1: 3.2.2 for the fields, 4.3 for versions. */
static void sends_nothing_but_a_valid_traceparent(void **state)
{
	(void)state;
	static const struct bytes INVALID[] = {
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nCV-Api-Key: "
		      "evil"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\r\n"),
		BYTES("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
		BYTES("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
		BYTES("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		BYTES("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A"),
		BYTES("0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01"),
		BYTES(" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 "),
		/* Version 00 has no more fields; of what later ones add nothing is known. */
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-evil"),
		BYTES("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-evil"),
		BYTES("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01."),
		BYTES(""),
	};
	struct fixture f;
	START(&f, {.reply = FOUND});
	for (size_t i = 0; i < array_length(INVALID); i++) {
		begin(&f, &(struct http_request){.phone = BYTES("1"), .traceparent = INVALID[i]},
			NULL);
		await(&f);
		assert_null(strcasestr(server_request(f.server, i), "traceparent"));
		assert_null(strstr(server_request(f.server, i), "evil"));
	}
	begin(&f, &(struct http_request){.phone = BYTES("1"), .traceparent = BYTES(TRACEPARENT)},
		NULL);
	await(&f);
	assert_true(has_line(&f, array_length(INVALID), "traceparent: " TRACEPARENT));
	/* A later version that has the fields of version 00 alone. */
	begin(&f, &(struct http_request){.phone = BYTES("1"), .traceparent = BYTES(LATER_VERSION)},
		NULL);
	await(&f);
	assert_true(has_line(&f, array_length(INVALID) + 1, "traceparent: " LATER_VERSION));
	assert_true(has_line(&f, array_length(INVALID), "CV-Api-Key: first-key"));
	stop(&f);
}

static void uses_a_new_key_from_the_next_start_on(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	begin(&f, &(struct http_request){.phone = BYTES("1")}, NULL);
	set_key(&f, "second-key"); /* the first must live on until its request was sent */
	await(&f);
	look_up(&f, "a@b.org");
	assert_true(has_line(&f, 0, "CV-Api-Key: first-key"));
	assert_true(has_line(&f, 1, "CV-Api-Key: second-key"));
	stop(&f);
}

static void refuses_keys_that_no_header_may_hold(void **state)
{
	(void)state;
	char longest[4097];
	memset(longest, 'k', sizeof(longest));
	const struct bytes invalid[] = {{0}, BYTES(""), BYTES("a\rb"), BYTES("a\nCV-Api-Key: b"),
		BYTES("a\0b"), BYTES("a b"), BYTES("\xc3\xa9"), BYTES("\x7f"),
		{longest, sizeof(longest)}};
	struct fixture f;
	START(&f, {.reply = FOUND});
	for (size_t i = 0; i < array_length(invalid); i++) {
		struct error err = {0};
		assert_false(http_client_key_valid(invalid[i], &err));
		assert_true(err.text[0] != '\0');
		assert_false(http_client_set_key(f.client, invalid[i], NULL));
	}
	assert_true(http_client_key_valid((struct bytes){longest, sizeof(longest) - 1}, NULL));
	look_up(&f, "a@b.org");
	assert_true(has_line(&f, 0, "CV-Api-Key: first-key"));
	stop(&f);
}

static void gives_retry_after(void **state)
{
	(void)state;
	struct fixture f;
	START(&f,
		{.reply = "HTTP/1.1 429 Too Many Requests\r\nretry-AFTER:  120 \r\nContent-Length: "
			  "0\r\n\r\n"},
		{.reply = "HTTP/1.1 503 Unavailable\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 "
			  "GMT\r\n"
			  "Content-Length: 0\r\n\r\n"},
		{.reply = "HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\n\r\n" FOUND});
	look_up(&f, "a@b.org");
	assert_int_equal(f.status, 429);
	assert_string_equal(f.retry_after, "120");
	look_up(&f, "a@b.org");
	assert_string_equal(f.retry_after, "Fri, 31 Dec 1999 23:59:59 GMT");
	look_up(&f, "a@b.org");
	assert_int_equal(f.status, 200);
	assert_string_equal(f.retry_after, "");
	stop(&f);
}

static void ignores_the_proxies_of_the_environment(void **state)
{
	(void)state;
	struct fixture f;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	START(&f, {.reply = FOUND});
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	stop(&f);
}

static void uses_the_proxy_of_the_options_whatever_no_proxy_says(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	char proxy[64];
	http_client_free(f.client);
	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f.server->port);
	setenv("no_proxy", "*", 1);
	const struct http_client_options options = {.base_url = "http://api.invalid",
		.proxy = proxy,
		.connect_timeout_ms = 10000,
		.timeout_ms = 30000,
		.max_connections = 1};
	f.client = http_client_new(&options, NULL);
	look_up(&f, "a");
	unsetenv("no_proxy");
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_first_line(
		&f, 0, "GET http://api.invalid/api/v1/customer-latest-case-id?email=a HTTP/1.1");
	stop(&f);
}

static void keeps_many_in_flight_and_their_connections(void **state)
{
	(void)state;
	enum { COUNT = 200 };
	struct fixture f;
	int tags[COUNT] = {0};
	START(&f, {.reply = FOUND});
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < COUNT; i++)
			begin(&f, &(struct http_request){.phone = BYTES("1")}, &tags[i]);
		for (int i = 0; i < COUNT; i++) {
			int *tag = await(&f);
			assert_int_equal(f.transport, REPLY_HTTP);
			assert_int_equal(++*tag, round + 1);
		}
	}
	assert_int_equal(server_count(f.server), 3 * COUNT);
	assert_true(f.server->connections <= COUNT);
	stop(&f);
}

static void serves_new_connections_on_the_descriptors_of_old_ones(void **state)
{
	(void)state;
	enum { COUNT = 8 };
	struct fixture f;
	START(&f,
		{.reply = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
			.then = CLOSE});
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < COUNT; i++)
			begin(&f, &(struct http_request){.phone = BYTES("1")}, NULL);
		for (int i = 0; i < COUNT; i++) {
			await(&f);
			assert_int_equal(f.transport, REPLY_HTTP);
		}
	}
	assert_int_equal(f.server->connections, 4 * COUNT);
	stop(&f);
}

static void forgets_what_is_under_way_at_its_end(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = NULL});
	for (int i = 0; i < 10; i++)
		begin(&f, &(struct http_request){.phone = BYTES("1")}, NULL);
	while (server_count(f.server) < 10)
		http_client_wait(f.client, clock_monotonic_ns() + NS_PER_MS);
	stop(&f);
}

static void waits_until_its_time(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	int64_t until = clock_monotonic_ns() + 5 * NS_PER_MS;
	while (clock_monotonic_ns() < until)
		http_client_wait(f.client, until);
	http_client_wait(f.client, 0); /* must not sleep: SIGALRM would tell */
	stop(&f);
}

struct waker {
	struct http_client *client;
	sem_t seen;
};

#define WAKES 2000

static void *wake_often(void *context)
{
	struct waker *waker = context;
	for (int i = 0; i < WAKES; i++) {
		http_client_wake(waker->client);
		sem_wait(&waker->seen);
	}
	return NULL;
}

static void wakes_from_another_thread(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	struct waker waker = {.client = f.client};
	pthread_t thread;
	sem_init(&waker.seen, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, wake_often, &waker), 0);
	for (int i = 0; i < WAKES; i++) {
		http_client_wait(f.client, TIME_NEVER); /* a wake that is lost hangs here */
		sem_post(&waker.seen);
	}
	pthread_join(thread, NULL);
	sem_destroy(&waker.seen);
	stop(&f);
}

static void a_wake_before_the_wait_counts(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	http_client_wake(f.client);
	http_client_wake(f.client);
	http_client_wait(f.client, TIME_NEVER);
	stop(&f);
}

static void refuses_a_ca_file_that_cannot_be_read(void **state)
{
	(void)state;
	struct error err = {0};
	const struct http_client_options options = {.base_url = "https://localhost",
		.ca_file = "/nonexistent/ca.pem",
		.connect_timeout_ms = 1,
		.timeout_ms = 1,
		.max_connections = 1};
	assert_null(http_client_new(&options, &err));
	assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
	http_client_free(NULL);
}

static void refuses_a_base_url_that_is_none(void **state)
{
	(void)state;
	struct error err = {0};
	const struct http_client_options options = {.base_url = "http://a b",
		.connect_timeout_ms = 1,
		.timeout_ms = 1,
		.max_connections = 1};
	assert_null(http_client_new(&options, &err));
	assert_non_null(strstr(err.text, "http://a b"));
}

static void names_the_libraries_at_work(void **state)
{
	(void)state;
	const char *version = http_client_version();
	char *end = NULL;
	long major = strtol(version, &end, 10);
	assert_int_equal(*end, '.');
	assert_true(major > 7 || strtol(end + 1, NULL, 10) >= 88);
	assert_non_null(strstr(version, "SSL"));
}

static void a_base_url_names_a_host_and_a_port(void **state)
{
	(void)state;
	struct http_origin origin;
	assert_true(http_client_origin("https://api.example.org", &origin, NULL));
	assert_string_equal(origin.host, "api.example.org");
	assert_int_equal(origin.port, 443);
	assert_true(http_client_origin("http://[::1]:8081/path", &origin, NULL));
	assert_string_equal(origin.host, "[::1]");
	assert_int_equal(origin.port, 8081);
	struct error err = {0};
	assert_false(http_client_origin("https://", &origin, &err));
	assert_true(err.text[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_status_body_and_duration),
		cmocka_unit_test(encodes_all_but_unreserved_characters),
		cmocka_unit_test(encodes_long_texts_whole),
		cmocka_unit_test(sends_the_headers_of_the_documentation),
		cmocka_unit_test(sends_nothing_but_a_valid_traceparent),
		cmocka_unit_test(uses_a_new_key_from_the_next_start_on),
		cmocka_unit_test(refuses_keys_that_no_header_may_hold),
		cmocka_unit_test(gives_retry_after),
		cmocka_unit_test(ignores_the_proxies_of_the_environment),
		cmocka_unit_test(uses_the_proxy_of_the_options_whatever_no_proxy_says),
		cmocka_unit_test(keeps_many_in_flight_and_their_connections),
		cmocka_unit_test(serves_new_connections_on_the_descriptors_of_old_ones),
		cmocka_unit_test(forgets_what_is_under_way_at_its_end),
		cmocka_unit_test(waits_until_its_time),
		cmocka_unit_test(wakes_from_another_thread),
		cmocka_unit_test(a_wake_before_the_wait_counts),
		cmocka_unit_test(refuses_a_ca_file_that_cannot_be_read),
		cmocka_unit_test(refuses_a_base_url_that_is_none),
		cmocka_unit_test(a_base_url_names_a_host_and_a_port),
		cmocka_unit_test(names_the_libraries_at_work),
	};
	return cmocka_run_group_tests(tests, set_up_library, end_library);
}
