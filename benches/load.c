/*
 * Load generator of the benchmarks, compiled on the fly by load.ts: plain system calls, no library between.
 * Prints one line of JSON. Exit status: 0 done, 1 failed (why is on stderr), 3 the file system refuses this.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1 << 20)
enum { REFUSED = 3 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static void *shared(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) die("mmap");
  return p;
}

static void *buffer(void) {
  void *p;
  if (posix_memalign(&p, 4096, MIB)) die("memory");
  return p;
}

static unsigned long next_random(unsigned long *state) { /* xorshift64 */
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

/* ---- several processes that begin together ---- */

struct crowd {
  int ready, go;
  unsigned long next, ops, bytes; /* next: the next name to take */
};

/* Runs `body` in `n` processes; returns seconds from the common start to the end of the last one. */
static double in_crowd(struct crowd *c, int n, void (*body)(struct crowd *, int, void *), void *arg) {
  for (int i = 0; i < n; i++) {
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    __atomic_add_fetch(&c->ready, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&c->go, __ATOMIC_SEQ_CST)) sched_yield();
    body(c, i, arg);
    _exit(0);
  }
  while (__atomic_load_n(&c->ready, __ATOMIC_SEQ_CST) < n) usleep(200);
  double start = now();
  __atomic_store_n(&c->go, 1, __ATOMIC_SEQ_CST);
  int status, failed = 0;
  while (wait(&status) > 0)
    if (status != 0) failed = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  double seconds = now() - start;
  if (failed) exit(failed);
  return seconds;
}

/* ---- names: a file of NUL-terminated paths below the mount ---- */

struct names {
  int root;
  unsigned long count;
  char **at;
  double until;
};

static struct names read_names(const char *mount, const char *file) {
  struct names n = {.root = open(mount, O_RDONLY | O_DIRECTORY)};
  if (n.root < 0) die(mount);
  int fd = open(file, O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) die(file);
  char *text = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (text == MAP_FAILED) die(file);
  for (char *p = text; p < text + st.st_size; p += strlen(p) + 1) n.count++;
  n.at = malloc(n.count * sizeof *n.at);
  n.count = 0;
  for (char *p = text; p < text + st.st_size; p += strlen(p) + 1) n.at[n.count++] = p;
  return n;
}

/* ---- walk: openat, getdents and one fstatat an entry; with `out`, writes the names of regular files ---- */

struct found {
  unsigned long entries, files, bytes, largest;
  long most;
  FILE *out;
};

static void walk(int dirfd, char *path, size_t length, struct found *f) {
  DIR *dir = fdopendir(dirfd);
  if (!dir) die(path);
  struct dirent *e;
  while (errno = 0, (e = readdir(dir))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    struct stat st;
    if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW)) die(e->d_name);
    size_t more = snprintf(path + length, 65536 - length, "%s%s", length ? "/" : "", e->d_name);
    f->entries++;
    if (S_ISREG(st.st_mode)) {
      if (f->out) fwrite(path, 1, length + more + 1, f->out);
      if (st.st_size > f->most) f->most = st.st_size, f->largest = f->files;
      f->files++;
      f->bytes += st.st_size;
    } else if (S_ISDIR(st.st_mode)) {
      int fd = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (fd < 0) die(path);
      walk(fd, path, length + more, f);
    }
    path[length] = 0;
  }
  if (errno) die(path);
  closedir(dir);
}

static void walk_mode(const char *mount, const char *list) {
  static char path[65536];
  struct found f = {.most = -1, .out = list ? fopen(list, "w") : NULL};
  if (list && !f.out) die(list);
  double start = now();
  int fd = open(mount, O_RDONLY | O_DIRECTORY);
  if (fd < 0) die(mount);
  walk(fd, path, 0, &f);
  double seconds = now() - start;
  if (f.out && fclose(f.out)) die(list);
  printf("{\"seconds\":%.6f,\"entries\":%lu,\"files\":%lu,\"bytes\":%lu,\"largest\":%lu}\n", seconds, f.entries,
         f.files, f.bytes, f.largest);
}

/* ---- readall: each name once, taken one by one by whoever is free: open, read to the end, close ---- */

static void readall(struct crowd *c, int self, void *arg) {
  (void)self;
  struct names *n = arg;
  char *buf = buffer();
  unsigned long i, bytes = 0;
  while ((i = __atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED)) < n->count) {
    int fd = openat(n->root, n->at[i], O_RDONLY | O_NOFOLLOW);
    if (fd < 0) die(n->at[i]);
    ssize_t got;
    while ((got = read(fd, buf, MIB)) > 0) bytes += got;
    if (got < 0) die(n->at[i]);
    close(fd);
  }
  __atomic_add_fetch(&c->bytes, bytes, __ATOMIC_RELAXED);
}

/* ---- storm: fstatat of a random known name, then of a name never asked before in a random directory ---- */

static void storm(struct crowd *c, int self, void *arg) {
  struct names *n = arg;
  unsigned long state = 0x9e3779b97f4a7c15 * (self + 1), ops = 0;
  char missing[8192];
  struct stat st;
  while (now() < n->until) {
    for (int k = 0; k < 32; k++, ops += 2) {
      const char *name = n->at[next_random(&state) % n->count];
      if (fstatat(n->root, name, &st, AT_SYMLINK_NOFOLLOW)) die(name);
      name = n->at[next_random(&state) % n->count];
      const char *slash = strrchr(name, '/');
      int dir = slash ? slash - name + 1 : 0;
      snprintf(missing, sizeof missing, "%.*sno-%d-%lu", dir, name, self, ops);
      if (!fstatat(n->root, missing, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT) die(missing);
    }
  }
  __atomic_add_fetch(&c->ops, ops, __ATOMIC_RELAXED);
}

/* ---- rand: preads of 4 KiB blocks in random order, no block twice before all were read ---- */

struct target {
  const char *file;
  int direct, jobs;
  unsigned long blocks;
  unsigned *order; /* block numbers, shuffled; each job begins at its own place in it */
  double until;
};

static struct target prepare(const char *file, int direct, int jobs, double seconds) {
  struct target t = {.file = file, .direct = direct, .jobs = jobs};
  struct stat st;
  if (stat(file, &st)) die(file);
  t.blocks = st.st_size / 4096;
  if (t.blocks == 0) fputs("the largest file is too small\n", stderr), exit(REFUSED);
  t.order = malloc(t.blocks * sizeof *t.order);
  unsigned long state = 0x9e3779b97f4a7c15;
  for (unsigned long i = 0; i < t.blocks; i++) {
    unsigned long j = next_random(&state) % (i + 1);
    t.order[i] = t.order[j];
    t.order[j] = i;
  }
  t.until = now() + seconds;
  return t;
}

static void randread(struct crowd *c, int self, void *arg) {
  struct target *t = arg;
  int fd = open(t->file, O_RDONLY | (t->direct ? O_DIRECT : 0));
  if (fd < 0 && t->direct && errno == EINVAL) fputs("O_DIRECT is refused\n", stderr), _exit(REFUSED);
  if (fd < 0) die(t->file);
  if (!t->direct) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  char *buf = buffer();
  unsigned long first = t->blocks / t->jobs * self, ops = 0;
  /* Cached, a second round would measure the page cache: one is enough. */
  unsigned long most = t->direct ? ~0UL : t->blocks / t->jobs;
  while (ops < most && now() < t->until)
    for (int k = 0; k < 16 && ops < most; k++, ops++)
      if (pread(fd, buf, 4096, t->order[(first + ops) % t->blocks] * 4096L) != 4096) die(t->file);
  __atomic_add_fetch(&c->ops, ops, __ATOMIC_RELAXED);
}

static unsigned long read_through(const char *file) {
  int fd = open(file, O_RDONLY);
  if (fd < 0) die(file);
  char *buf = buffer();
  unsigned long bytes = 0;
  ssize_t got;
  while ((got = read(fd, buf, MIB)) > 0) bytes += got;
  if (got < 0) die(file);
  close(fd);
  free(buf);
  return bytes;
}

/* ---- start: becomes the command; a watcher writes to descriptor 3 the seconds until the mount answers ---- */

static void watch(const char *mount, const struct stat *before, const double *start, pid_t command) {
  for (;;) {
    int is_gone = kill(command, 0) != 0;
    struct stat st;
    if (*start > 0 && !stat(mount, &st) && st.st_dev != before->st_dev) {
      dprintf(3, "%.6f\n", now() - *start);
      _exit(0);
    }
    if (is_gone) _exit(1);
    usleep(100);
  }
}

static void start_mode(const char *mount, char **argv) {
  struct stat before;
  if (stat(mount, &before)) die(mount);
  double *start = shared(sizeof *start);
  pid_t self = getpid(), child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    if (fork() == 0) watch(mount, &before, start, self);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  fcntl(3, F_SETFD, FD_CLOEXEC);
  *start = now();
  execvp(argv[0], argv);
  die(argv[0]);
}

/* ---- app: a program inside the image, from fork to its end ---- */

static void app_mode(const char *mount, char **argv) {
  char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C", NULL};
  double start = now();
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chroot(mount) || chdir("/")) die("chroot");
    execvpe(argv[0], argv, env);
    if (errno == ENOENT) fprintf(stderr, "%s is not in the image\n", argv[0]), _exit(REFUSED);
    die(argv[0]);
  }
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) < 0) die("fork");
  double seconds = now() - start;
  if (status) exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  printf("{\"seconds\":%.6f}\n", seconds);
}

int main(int argc, char **argv) {
  const char *mode = argc > 2 ? argv[1] : "";
  char **a = argv + 2;
  int n = argc - 2;
  struct crowd *c = shared(sizeof *c);
  double seconds;
  if (!strcmp(mode, "walk")) {
    walk_mode(a[0], n > 1 ? a[1] : NULL);
  } else if (!strcmp(mode, "readall") && n == 3) {
    struct names names = read_names(a[0], a[1]);
    seconds = in_crowd(c, atoi(a[2]), readall, &names);
    printf("{\"seconds\":%.6f,\"bytes\":%lu}\n", seconds, c->bytes);
  } else if (!strcmp(mode, "storm") && n == 4) {
    struct names names = read_names(a[0], a[1]);
    names.until = now() + atof(a[3]);
    seconds = in_crowd(c, atoi(a[2]), storm, &names);
    printf("{\"seconds\":%.6f,\"ops\":%lu}\n", seconds, c->ops);
  } else if (!strcmp(mode, "rand") && n == 4) {
    struct target t = prepare(a[0], !strcmp(a[1], "direct"), atoi(a[2]), atof(a[3]));
    seconds = in_crowd(c, t.jobs, randread, &t);
    printf("{\"seconds\":%.6f,\"ops\":%lu}\n", seconds, c->ops);
  } else if (!strcmp(mode, "seq")) {
    double start = now();
    for (int i = 0; i < n; i++) c->bytes += read_through(a[i]);
    printf("{\"seconds\":%.6f,\"bytes\":%lu}\n", now() - start, c->bytes);
  } else if (!strcmp(mode, "mount") && n == 3) {
    if (mount(a[0], a[1], "erofs", MS_RDONLY, a[2])) die("mount");
  } else if (!strcmp(mode, "start") && n > 1) {
    start_mode(a[0], a + 1);
  } else if (!strcmp(mode, "app") && n > 1) {
    app_mode(a[0], a + 1);
  } else {
    fputs("usage: load walk|readall|storm|rand|seq|mount|start|app ... (see load.ts)\n", stderr);
    return 2;
  }
  return 0;
}
