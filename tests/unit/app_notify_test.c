#include "notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define START (1000 * NS_PER_S)

static int manager; /* the service manager's end */
static char name[64];
static char told[2048];

static int start(void **state)
{
	(void)state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(name, sizeof(name), "@care360-notify-test-%d", getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setenv("NOTIFY_SOCKET", name, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return bind(manager, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));
}

static int stop(void **state)
{
	(void)state;
	return close(manager);
}

static const char *next_datagram(void)
{
	ssize_t length = recv(manager, told, sizeof(told) - 1, 0);
	told[length > 0 ? length : 0] = '\0';
	return told;
}

static void tells_its_states_to_the_manager(void **state)
{
	(void)state;
	struct notify *notify = notify_new(NULL);
	assert_non_null(notify);
	notify_ready(notify);
	assert_string_equal(next_datagram(), "READY=1");
	int64_t before = clock_monotonic_ns() / NS_PER_US;
	notify_reloading(notify);
	int64_t after = clock_monotonic_ns() / NS_PER_US;
	const char *prefix = "RELOADING=1\nMONOTONIC_USEC=";
	assert_memory_equal(next_datagram(), prefix, strlen(prefix));
	long long at = strtoll(told + strlen(prefix), NULL, 10);
	assert_true(at >= before && at <= after);
	notify_stopping(notify, 26 * NS_PER_S);
	assert_string_equal(next_datagram(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=26000000");
	assert_string_equal(next_datagram(), "");
	notify_free(notify);
}

static void feeds_the_watchdog_twice_in_its_time(void **state)
{
	(void)state;
	setenv("WATCHDOG_USEC", "30000000", 1);
	struct notify *notify = notify_new(NULL);
	notify_alive(notify, START);
	assert_string_equal(next_datagram(), "WATCHDOG=1");
	notify_alive(notify, START + 15 * NS_PER_S - 1);
	assert_string_equal(next_datagram(), "");
	notify_alive(notify, START + 15 * NS_PER_S);
	assert_string_equal(next_datagram(), "WATCHDOG=1");
	notify_free(notify);
}

static void a_watchdog_of_another_process_or_none_is_not_fed(void **state)
{
	(void)state;
	struct notify *notify = notify_new(NULL);
	notify_alive(notify, START);
	notify_free(notify);
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify = notify_new(NULL);
	notify_alive(notify, START);
	notify_free(notify);
	assert_string_equal(next_datagram(), "");
}

static void a_status_is_told_once_on_one_line_and_not_too_often(void **state)
{
	(void)state;
	struct notify *notify = notify_new(NULL);
	notify_status(notify, "stopped:\nREADY=1", START);
	assert_string_equal(next_datagram(), "STATUS=stopped: READY=1");
	notify_status(notify, "stopped:\nREADY=1", START + NS_PER_S);
	assert_string_equal(next_datagram(), "");
	notify_status(notify, "ready", START + NS_PER_S);
	assert_string_equal(next_datagram(), "STATUS=ready");
	notify_status(notify, "stopping", START + NS_PER_S + 1);
	assert_string_equal(next_datagram(), "");
	notify_free(notify);
}

static void without_a_manager_it_does_nothing(void **state)
{
	(void)state;
	struct error err = {0};
	unsetenv("NOTIFY_SOCKET");
	struct notify *notify = notify_new(&err);
	assert_null(notify);
	assert_string_equal(err.text, "");
	notify_ready(notify);
	notify_reloading(notify);
	notify_stopping(notify, NS_PER_S);
	notify_alive(notify, START);
	notify_status(notify, "ready", START);
	notify_free(notify);
}

static void a_socket_that_is_none_is_an_error(void **state)
{
	(void)state;
	char long_path[200] = "/";
	memset(long_path + 1, 'x', sizeof(long_path) - 2);
	const char *const wrong[] = {"vsock:2:1234", "relative", "/", "@", long_path};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error err = {0};
		setenv("NOTIFY_SOCKET", wrong[i], 1);
		assert_null(notify_new(&err));
		assert_string_equal(err.text, "NOTIFY_SOCKET: only unix sockets can be notified");
	}
}

static void a_manager_that_is_gone_harms_nobody(void **state)
{
	(void)state;
	struct notify *notify = NULL;
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	notify = notify_new(NULL);
	assert_non_null(notify);
	notify_ready(notify);
	notify_free(notify);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_its_states_to_the_manager, start, stop),
		cmocka_unit_test_setup_teardown(feeds_the_watchdog_twice_in_its_time, start, stop),
		cmocka_unit_test_setup_teardown(
			a_watchdog_of_another_process_or_none_is_not_fed, start, stop),
		cmocka_unit_test_setup_teardown(
			a_status_is_told_once_on_one_line_and_not_too_often, start, stop),
		cmocka_unit_test_setup_teardown(without_a_manager_it_does_nothing, start, stop),
		cmocka_unit_test_setup_teardown(a_socket_that_is_none_is_an_error, start, stop),
		cmocka_unit_test_setup_teardown(a_manager_that_is_gone_harms_nobody, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
