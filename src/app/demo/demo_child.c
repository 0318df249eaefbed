#include "demo_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

extern char **environ;

/* The environment without what is meant for the service that is really run. NULL when out of
 * memory. */
static char **clean_environment(void)
{
	size_t count = 0;
	while (environ[count] != NULL)
		count++;
	char **clean = mem_new_array(char *, count + 1);
	size_t kept = 0;
	for (size_t i = 0; i < count && clean != NULL; i++)
		if (strncmp(environ[i], "CARE360_", 8) != 0)
			clean[kept++] = environ[i];
	return clean;
}

/* In the child, between fork and exec: only what is safe there. */
static _Noreturn void become(
	const char *program, char **arguments, char **environment, int log, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (getppid() == parent && dup2(nothing, STDIN_FILENO) >= 0 &&
		dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
		execvpe(program, arguments, environment);
	_exit(127);
}

bool demo_child_start(struct demo_child *child, const char *program, const char *const *arguments,
	const char *log, struct error *err)
{
	CLEANUP(free_pointer) char **environment = clean_environment();
	if (environment == NULL)
		return error_memory(err);
	int descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (descriptor < 0)
		return error_system(err, errno, "%s", log);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become(program, (char **)arguments, environment, descriptor, parent);
	int number = errno;
	close(descriptor);
	if (pid < 0)
		return error_system(err, number, "%s cannot be started", program);
	child->pid = pid;
	return true;
}

bool demo_child_runs(struct demo_child *child)
{
	if (child->pid != 0 && waitpid(child->pid, &child->status, WNOHANG) != 0)
		child->pid = 0;
	return child->pid != 0;
}

void demo_child_end(struct demo_child *child, int timeout_ms)
{
	if (!demo_child_runs(child))
		return;
	kill(child->pid, SIGTERM);
	for (int waited_ms = 0; demo_child_runs(child) && waited_ms < timeout_ms; waited_ms += 10)
		poll(NULL, 0, 10);
	if (child->pid == 0)
		return;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, &child->status, 0);
	child->pid = 0;
}

bool demo_program_path(const char *name, char *ret_path, unsigned long size, struct error *err)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return error_system(err, errno, "/proc/self/exe");
	self[length] = '\0';
	if (name != NULL)
		self[strrchr(self, '/') + 1 - self] = '\0';
	int written = snprintf(ret_path, size, "%s%s", self, name == NULL ? "" : name);
	if (written < 0 || (unsigned long)written >= size)
		return error_set(err, "the path %s is too long", self);
	if (name != NULL && access(ret_path, X_OK) != 0)
		snprintf(ret_path, size, "%s", name);
	return true;
}
