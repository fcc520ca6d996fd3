/*
 * build_elf.c - an object's program headers: it needs no stack that is executable.
 *
 * tcc writes no PT_GNU_STACK.  The loader takes that as a wish for an executable stack: up to
 * glibc 2.40 it makes the process's one, from 2.41 on it refuses the object.  The table of
 * program headers is written again, with one more, behind the file's end.
 *
 * The object is untrusted: a compiler made it from untrusted input.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasm/build_priv.h"

#define HEADERS_MAX 32

static bool
is_object(const Elf64_Ehdr *h)
{
	return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	    h->e_type == ET_DYN && h->e_phentsize == sizeof(Elf64_Phdr) && h->e_phnum > 0 &&
	    h->e_phnum < HEADERS_MAX;
}

static bool
headers_move(int fd, Elf64_Ehdr *h, const Elf64_Phdr *p, off_t end)
{
	size_t bytes = h->e_phnum * sizeof *p;

	h->e_phoff = ((Elf64_Off)end + 7) / 8 * 8;
	return pwrite(fd, p, bytes, (off_t)h->e_phoff) == (ssize_t)bytes &&
	    pwrite(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h;
}

int
wasm_object_seal(int fd, struct err *e)
{
	Elf64_Ehdr h;
	Elf64_Phdr p[HEADERS_MAX];
	struct stat st;
	size_t bytes, i = 0;

	if (fstat(fd, &st) != 0 || pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h || !is_object(&h))
		return err_set(e, ERR_IO, "the compiler made no shared object");
	bytes = h.e_phnum * sizeof *p;
	if (h.e_phoff > (Elf64_Off)st.st_size || pread(fd, p, bytes, (off_t)h.e_phoff) != (ssize_t)bytes)
		return err_set(e, ERR_IO, "the compiler made an object without its headers");
	while (i < h.e_phnum && p[i].p_type != PT_GNU_STACK)
		i++;
	if (i < h.e_phnum && (p[i].p_flags & PF_X) == 0)
		return OK;
	if (i == h.e_phnum)
		h.e_phnum++;
	p[i] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16 };
	if (!headers_move(fd, &h, p, st.st_size))
		return err_set(e, ERR_IO, "wasm.cache: %s", strerror(errno));
	return OK;
}
