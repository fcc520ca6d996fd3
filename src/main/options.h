/*
 * options.h - from settings to what the rooms take.
 *
 * Texts belong to the configuration, which must outlive what is made of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include "api/api.h"
#include "auth/auth.h"
#include "main/config.h"
#include "run/hook.h"
#include "store/store.h"

/* ERR_NOTFOUND, ERR_INVALID: the folder of the database is none. */
int  options_store(const struct config *c, struct store_options *o, struct err *e);
/* Of the tracker's file, where the store is no file.  ERR_* as above. */
int  options_guest_house(const struct config *c, struct store_options *o, struct err *e);
struct auth_options options_auth(const struct config *c);
/* headers: gets the header lines, to which the rules point.  ERR_INVALID. */
int  options_hooks(const struct config *c, struct hook_rules *rules, struct buf *headers,
    struct err *e);
/* What is below `http`, and the documents that the api shows and keeps. */
void options_http(const struct config *c, struct api_options *o);
/* Sizes the memory of all connections together. */
void options_set_accounts(const struct config *c);

#endif
