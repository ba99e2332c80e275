/* The entry programs of a pod: starts the Python beside it with the module that its own name stands for.
 *
 * Static, because it must run in images that have no libc, no shell and no loader. It lies beside `runtime/`, and is called by one of the names below.
 * A user's image may set LD_PRELOAD, LD_LIBRARY_PATH or GLIBC_TUNABLES for its own programs. They would reach into our Python, whose libc is
 * another one. So they travel under names with the prefix KEPT, and osmo_runtime.user gives them back to the user's command.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT "OSMO_KEPT_"
#define CTRL "osmo_runtime.ctrl"
#define LONGEST_PATH 4096
#define OWN_WORDS 10

extern char **environ;

static const char *const PROGRAMS[][2] = {
    {"osmo_exec", "osmo_runtime.user"},
    {"osmo_ctrl", CTRL},
    {"osmo_init", "osmo_runtime.init"},
    {"osmo", "osmo_in_task"},
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "osmo: %s: %s\n", what, why);
  exit(127);
}

static char *joined(const char *first, const char *second) {
  char *both = malloc(strlen(first) + strlen(second) + 1);
  if (!both) fail("start", "out of memory");
  strcpy(both, first);
  return strcat(both, second);
}

static const char *module_of(const char *called) {
  const char *slash = strrchr(called, '/');
  const char *name = slash ? slash + 1 : called;
  for (size_t i = 0; i < sizeof PROGRAMS / sizeof *PROGRAMS; i++)
    if (!strcmp(name, PROGRAMS[i][0])) return PROGRAMS[i][1];
  fail(called, "is no program of the runtime");
  return NULL;
}

static char *own_directory(void) {
  static char path[LONGEST_PATH];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) fail("/proc/self/exe", strerror(errno));
  path[length] = 0;
  *strrchr(path, '/') = 0;
  return path;
}

static void keep_from_our_loader(char **environment) {
  for (; *environment; environment++)
    if (!strncmp(*environment, "LD_", 3) || !strncmp(*environment, "GLIBC_TUNABLES=", 15))
      *environment = joined(KEPT, *environment);
}

/* ctrl's threads look up names and read files, one at a time mostly: an arena of memory for each would only be held. It starts no program of a user. */
static void keep_small(void) {
  setenv("MALLOC_ARENA_MAX", "1", 1);
  setenv("MALLOC_MMAP_THRESHOLD_", "131072", 1);
  setenv("MALLOC_TRIM_THRESHOLD_", "131072", 1);
}

int main(int count, char **words) {
  const char *module = module_of(count ? words[0] : "");
  char *runtime = joined(own_directory(), "/runtime");
  char *loader = joined(runtime, "/ld.so");
  char *own[OWN_WORDS] = {loader, "--inhibit-cache", "--library-path", joined(runtime, "/lib"), joined(runtime, "/bin/python3"),
                          "-I", "-B", "-m", (char *)module, NULL};
  char **command = calloc(OWN_WORDS + count, sizeof *command);
  if (!command) fail("start", "out of memory");
  memcpy(command, own, (OWN_WORDS - 1) * sizeof *own);
  if (count > 1) memcpy(command + OWN_WORDS - 1, words + 1, (count - 1) * sizeof *words);
  keep_from_our_loader(environ);
  if (!strcmp(module, CTRL)) keep_small();
  execve(loader, command, environ);
  fail(loader, strerror(errno));
}
