/*
 * main.c - runs the fuzz targets over files instead of a fuzzer, so that what
 * a fuzzer once found stays fixed: each over the files of CORPUS/NAME, in a
 * process of its own.
 *
 *     fuzz-replay CORPUS [NAME...]      every target, or those named
 *     fuzz-replay FILE NAME             one input
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define X(name) int target_##name(const uint8_t *data, size_t n);
TARGETS
#undef X

static const struct target {
	const char *name;
	int (*run)(const uint8_t *data, size_t n);
} targets[] = {
#define X(name) { #name, target_##name },
	TARGETS
#undef X
};

static int
run_file(const struct target *t, const char *path)
{
	static uint8_t data[4 << 20];
	uint8_t *exact;
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof data, f);
	fclose(f);
	/* Exactly n bytes, so that a sanitizer sees a read past the end. */
	exact = malloc(n > 0 ? n : 1);
	if (exact == NULL)
		return 1;
	memcpy(exact, data, n);
	t->run(exact, n);
	free(exact);
	return 0;
}

static int
run_folder(const struct target *t, const char *folder)
{
	unsigned files = 0;
	int bad = 0;
	DIR *d = opendir(folder);
	struct dirent *entry;

	if (d == NULL) {
		perror(folder);
		return 1;
	}
	while ((entry = readdir(d)) != NULL) {
		char path[2 * PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		bad |= run_file(t, path);
		files++;
	}
	closedir(d);
	return bad != 0 || files == 0;
}

static unsigned
count(const char *folder)
{
	unsigned n = 0;
	DIR *d = opendir(folder);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return n;
}

/* In a child: one target that ends the process is not the end of the others. */
static unsigned
replay(const struct target *t, const char *corpus, bool one_file)
{
	char path[PATH_MAX];
	int status;
	pid_t pid;

	snprintf(path, sizeof path, one_file ? "%s" : "%s/%s", corpus, t->name);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		exit(one_file ? run_file(t, path) : run_folder(t, path));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("FAIL %s\n", t->name);
		return 0;
	}
	return one_file ? 1 : count(path);
}

int
main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;
	struct stat st;

	if (argc < 2 || stat(argv[1], &st) != 0) {
		fprintf(stderr, "fuzz-replay CORPUS [NAME...] | FILE NAME\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		bool wanted = argc == 2;
		unsigned n;

		for (int k = 2; k < argc; k++)
			wanted |= strcmp(argv[k], targets[i].name) == 0;
		if (!wanted)
			continue;
		n = replay(&targets[i], argv[1], !S_ISDIR(st.st_mode));
		passed += n;
		failed += n == 0;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
