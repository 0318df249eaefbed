/*
 * How the HTTP client finds the API's address. The resolver and the clock of this program take the
 * place of the C library's, for libcurl too: the linker finds them first.
 */
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "http_client_fixture.h"

#define HOST "api.example.test"

/* What the name of the API resolves to; NULL: nothing. */
static _Atomic(const char *) resolved;
static atomic_int resolver_calls;
static atomic_bool resolver_hangs;
static sem_t resolver_entered, resolver_released, resolver_left;

/* How far the clocks are ahead. */
static atomic_long ahead_s;

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
	int result = (int)syscall(SYS_clock_gettime, id, ret_time);
	ret_time->tv_sec += ahead_s;
	return result;
}

time_t time(time_t *ret_time)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_time)
		*ret_time = now.tv_sec;
	return now.tv_sec;
}

struct found {
	struct addrinfo info;
	struct sockaddr_in address;
};

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **ret_info)
{
	(void)hints;
	assert_string_equal(name, HOST);
	resolver_calls++;
	if (resolver_hangs) {
		sem_post(&resolver_entered);
		sem_wait(&resolver_released);
		sem_post(&resolver_left);
		return EAI_AGAIN;
	}
	const char *address = resolved;
	struct found *found = address ? mem_new(struct found) : NULL;
	if (!found)
		return EAI_NONAME;
	found->address = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_addr.s_addr = inet_addr(address),
		.sin_port = htons((uint16_t)strtol(service, NULL, 10))};
	found->info = (struct addrinfo){.ai_family = AF_INET,
		.ai_socktype = SOCK_STREAM,
		.ai_addr = (struct sockaddr *)&found->address,
		.ai_addrlen = sizeof(found->address)};
	*ret_info = &found->info;
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	free((char *)info - offsetof(struct found, info));
}

static const struct step HERE[] = {{.reply = FOUND}};
static const struct step THERE[] = {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"}};

static void connect_by_name(struct fixture *f, int port)
{
	char base_url[64];
	(void)snprintf(base_url, sizeof(base_url), "http://" HOST ":%d", port);
	connect_to(f, base_url);
}

/* A server, and a client that has to look for it by a name. */
static void start_by_name(struct fixture *f)
{
	start(f, HERE, 1);
	http_client_free(f->client);
	resolved = "127.0.0.1";
	resolver_calls = 0;
	resolver_hangs = false;
	ahead_s = 0;
	connect_by_name(f, f->server->port);
}

static void assert_answered(struct fixture *f, const char *body)
{
	look_up(f, "a@b.org");
	assert_int_equal(f->transport, REPLY_HTTP);
	assert_string_equal(buffer_text(&f->body), body);
}

static void tells_of_a_name_without_an_address(void **state)
{
	(void)state;
	struct fixture f;
	start_by_name(&f);
	resolved = NULL;
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_UNRESOLVED);
	resolved = "127.0.0.1";
	assert_answered(&f, "hello"); /* it is asked for again at once */
	stop(&f);
}

static void asks_for_a_name_once_a_minute_while_all_is_well(void **state)
{
	(void)state;
	struct fixture f;
	static const struct step CLOSING[] = {
		{.reply = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", .then = CLOSE}};
	start_by_name(&f);
	f.server->script = CLOSING; /* each request needs a connection of its own */
	for (int i = 0; i < 3; i++)
		assert_answered(&f, "hello");
	assert_int_equal(resolver_calls, 1);
	ahead_s = 61;
	assert_answered(&f, "hello");
	assert_int_equal(resolver_calls, 2);
	stop(&f);
}

static void follows_an_address_that_changed_when_the_old_one_fails(void **state)
{
	(void)state;
	struct fixture f;
	start_by_name(&f);
	assert_answered(&f, "hello");
	int port = f.server->port;
	server_stop(f.server);
	f.server = server_start_at("127.0.0.2", port, THERE, 1);
	resolved = "127.0.0.2";
	ahead_s = 2; /* well within the minute */
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_CONNECT);
	assert_answered(&f, "there");
	stop(&f);
}

/* Else one worker's replies would be witnesses against requests that another sends to nobody. */
static void finds_an_address_that_changed_for_all_that_share_it(void **state)
{
	(void)state;
	struct fixture f;
	start_by_name(&f);
	http_client_free(f.client);
	f.share = http_share_new(NULL);
	assert_non_null(f.share);
	connect_by_name(&f, f.server->port);
	struct fixture other = {.share = f.share};
	connect_by_name(&other, f.server->port);
	assert_answered(&f, "hello");
	assert_answered(&other, "hello");
	assert_int_equal(resolver_calls, 1);
	int port = f.server->port;
	server_stop(f.server);
	f.server = server_start_at("127.0.0.2", port, THERE, 1);
	resolved = "127.0.0.2";
	ahead_s = 2;
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_CONNECT);
	assert_answered(&f, "there");
	assert_answered(&other, "there"); /* at the first attempt */
	assert_int_equal(resolver_calls, 2);
	stop(&other);
	stop(&f);
	http_share_free(f.share);
}

/* The old address may answer for long, and wrongly: connections are not kept for ever. */
static void follows_an_address_that_changed_though_the_old_one_answers(void **state)
{
	(void)state;
	struct fixture f;
	start_by_name(&f);
	struct server *there = server_start_at("127.0.0.2", f.server->port, THERE, 1);
	assert_answered(&f, "hello");
	resolved = "127.0.0.2";
	for (; ahead_s <= 270; ahead_s += 30) /* never idle for long */
		assert_answered(&f, "hello");
	assert_int_equal(f.server->connections, 1);
	ahead_s = 301;
	assert_answered(&f, "there");
	server_stop(there);
	stop(&f);
}

static void is_not_held_up_by_a_resolver_that_hangs(void **state)
{
	(void)state;
	struct fixture f;
	start_by_name(&f);
	sem_init(&resolver_entered, 0, 0);
	sem_init(&resolver_released, 0, 0);
	sem_init(&resolver_left, 0, 0);
	resolver_hangs = true;
	begin(&f, &(struct http_request){.phone = BYTES("1"), .timeout_ms = 500}, NULL);
	await(&f); /* would hang here */
	assert_int_equal(f.transport, REPLY_TIMEOUT);
	sem_wait(&resolver_entered); /* else its thread might come so late that it does not hang */
	resolver_hangs = false;
	assert_answered(&f, "hello");
	sem_post(&resolver_released);
	sem_wait(&resolver_left);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_of_a_name_without_an_address),
		cmocka_unit_test(asks_for_a_name_once_a_minute_while_all_is_well),
		cmocka_unit_test(follows_an_address_that_changed_when_the_old_one_fails),
		cmocka_unit_test(finds_an_address_that_changed_for_all_that_share_it),
		cmocka_unit_test(follows_an_address_that_changed_though_the_old_one_answers),
		cmocka_unit_test(is_not_held_up_by_a_resolver_that_hangs),
	};
	return cmocka_run_group_tests(tests, set_up_library, end_library);
}
