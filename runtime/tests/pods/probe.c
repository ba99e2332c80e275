/* What a user's command does in the tests, in images that have no shell. Each word is one act, in order. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void heard(int number) {
  printf("heard %d\n", number);
  exit(100 + number);
}

static void orphans(void) {
  for (int i = 0; i < 5; i++)
    if (fork() == 0) {
      if (fork() == 0) usleep(20000);
      _exit(0);
    }
}

static int zombies(void) {
  int found = 0;
  DIR *processes = opendir("/proc");
  for (struct dirent *each; processes && (each = readdir(processes));) {
    char path[300], line[300] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", each->d_name);
    FILE *stat = fopen(path, "r");
    if (!stat) continue;
    if (fgets(line, sizeof line, stat) && strstr(line, ") Z ")) found++;
    fclose(stat);
  }
  return found;
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < count; i++) {
    char *word = words[i], *value = i + 1 < count ? words[i + 1] : "";
    if (!strcmp(word, "env"))
      for (char **each = environ; *each; each++) printf("env %s\n", *each);
    else if (!strcmp(word, "say")) printf("%s\n", value), i++;
    else if (!strcmp(word, "complain")) fprintf(stderr, "%s\n", value), i++;
    else if (!strcmp(word, "who")) printf("uid %d\n", getuid());
    else if (!strcmp(word, "hear")) signal(atoi(value), heard), i++;
    else if (!strcmp(word, "ignore")) signal(atoi(value), SIG_IGN), i++;
    else if (!strcmp(word, "sleep")) sleep(atoi(value)), i++;
    else if (!strcmp(word, "kill")) kill(getpid(), atoi(value)), i++;
    else if (!strcmp(word, "orphans")) orphans();
    else if (!strcmp(word, "zombies")) {
      int left = -1;
      while (wait(NULL) > 0) {}
      for (int tries = 0; tries < 100 && (left = zombies()); tries++) usleep(20000);
      printf("zombies %d\n", left);
    } else if (!strcmp(word, "write")) {
      FILE *file = fopen(value, "w");
      printf("write %s\n", file ? "done" : "refused");
      if (file) fputs("written\n", file), fclose(file);
      i++;
    } else if (!strcmp(word, "exit")) return atoi(value);
    else printf("? %s\n", word);
  }
  return 0;
}
