/*
 * net_ws_cases.c - what WebSocket clients send, and what it is: the cases of the
 * Autobahn test suite by their numbers, and some of our own.
 *
 * Input: frames with | between.  One frame: flags, opcode, colon, payload.
 *   -   not the last of its message        ^N  reserved bits
 *   ~   without a mask                     +N  its length is written in N bytes;
 *                                              9, 7: it is 2^63, 2^63 - 1
 *   t text  c continuation  b binary  x close  i ping  o pong, or a hex digit
 * A payload *N is N times x.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_ws_cases.h"

#include <stdlib.h>

#include "base/check.h"

#define ROW(name, input, wanted) \
	{ name, { input, sizeof input - 1 }, { wanted, sizeof wanted - 1 } }

const struct ws_case ws_cases[] = {
	/* 1: texts by their length, binary messages */
	ROW("1.1.1", "t:*0", "text()"),
	ROW("1.1.2", "t:*125", "text(*125)"),
	ROW("1.1.3", "t:*126", "text(*126)"),
	ROW("1.1.4", "t:*127", "text(*127)"),
	ROW("1.1.5", "t:*128", "text(*128)"),
	ROW("1.1.6", "t:*65535", "text(*65535)"),
	ROW("1.1.7", "t:*65536", "text(*65536)"),
	ROW("1.2.1", "b:*0", "bad(1003)"),
	ROW("1.2.2", "b:*125", "bad(1003)"),
	ROW("1.2.3", "b:*126", "bad(1003)"),
	ROW("1.2.4", "b:*127", "bad(1003)"),
	ROW("1.2.5", "b:*128", "bad(1003)"),
	ROW("1.2.6", "b:*65535", "bad(1003)"),
	ROW("1.2.7", "b:*65536", "bad(1003)"),
	/* 2: pings and pongs */
	ROW("2.1", "i:", "ping()"),
	ROW("2.2", "i:Hello, world!", "ping(Hello, world!)"),
	ROW("2.3", "i:\x00\xff\xfe\xfd\xfc\xfb\x00\xff",
	    "ping(\x00\xff\xfe\xfd\xfc\xfb\x00\xff)"),
	ROW("2.4", "i:*125", "ping(*125)"),
	ROW("2.5", "i:*126", "bad(1002)"),
	ROW("2.7", "o:", "pong()"),
	ROW("2.8", "o:unsolicited", "pong(unsolicited)"),
	ROW("2.9", "o:unsolicited|i:ping", "pong(unsolicited)ping(ping)"),
	ROW("2.10", "i:0|i:1|i:2|i:3|i:4|i:5|i:6|i:7|i:8|i:9",
	    "ping(0)ping(1)ping(2)ping(3)ping(4)ping(5)ping(6)ping(7)ping(8)ping(9)"),
	/* 3: reserved bits */
	ROW("3.1", "^1t:Hello", "bad(1002)"),
	ROW("3.2", "t:Hello|^2t:Hello|i:", "text(Hello)bad(1002)"),
	ROW("3.3", "t:Hello|^3t:Hello|i:", "text(Hello)bad(1002)"),
	ROW("3.4", "t:Hello|^4t:Hello|i:", "text(Hello)bad(1002)"),
	ROW("3.5", "^5b:*8", "bad(1002)"),
	ROW("3.6", "^6i:Hello", "bad(1002)"),
	ROW("3.7", "^7x:\x03\xe8", "bad(1002)"),
	/* 4: reserved opcodes */
	ROW("4.1.1", "3:", "bad(1002)"),
	ROW("4.1.2", "4:reserved", "bad(1002)"),
	ROW("4.1.3", "t:Hello|5:|i:", "text(Hello)bad(1002)"),
	ROW("4.1.4", "t:Hello|6:Hello|i:", "text(Hello)bad(1002)"),
	ROW("4.1.5", "t:Hello|7:|i:", "text(Hello)bad(1002)"),
	ROW("4.2.1", "B:", "bad(1002)"),
	ROW("4.2.2", "C:reserved", "bad(1002)"),
	ROW("4.2.3", "t:Hello|D:|i:", "text(Hello)bad(1002)"),
	ROW("4.2.4", "t:Hello|E:Hello|i:", "text(Hello)bad(1002)"),
	ROW("4.2.5", "t:Hello|F:|i:", "text(Hello)bad(1002)"),
	/* 5: fragments */
	ROW("5.1", "-i:fragment1|c:fragment2", "bad(1002)"),
	ROW("5.2", "-o:fragment1|c:fragment2", "bad(1002)"),
	ROW("5.3", "-t:fragment1|c:fragment2", "text(fragment1fragment2)"),
	ROW("5.6", "-t:fragment1|i:ping|c:fragment2",
	    "ping(ping)text(fragment1fragment2)"),
	ROW("5.9", "c:none|t:Hello", "bad(1002)"),
	ROW("5.10", "c:none", "bad(1002)"),
	ROW("5.12", "-c:none|t:Hello", "bad(1002)"),
	ROW("5.15", "-t:fragment1|c:fragment2|-c:fragment3|t:fragment4",
	    "text(fragment1fragment2)bad(1002)"),
	ROW("5.16", "-c:fragment1|-t:fragment2|c:fragment3", "bad(1002)"),
	ROW("5.17", "c:fragment1|-t:fragment2|c:fragment3", "bad(1002)"),
	ROW("5.18", "-t:fragment1|t:fragment2", "bad(1002)"),
	ROW("5.19", "-t:fragment1|-c:fragment2|i:one|-c:fragment3|-c:fragment4|i:tw"
	    "o|c:fragment5", "ping(one)ping(two)text(fragment1fragment2fragment3fragment4fra"
	    "gment5)"),
	ROW("5.a", "-t:|-c:|i:|o:|c:", "ping()pong()text()"),
	ROW("5.b", "-t:fragment1|b:binary", "bad(1003)"),
	ROW("5.c", "-t:one|c: two|-t:three|c: four", "text(one two)text(three four)"),
	/* 6: UTF-8 */
	ROW("6.1.1", "t:", "text()"),
	ROW("6.1.2", "-t:|-c:|c:", "text()"),
	ROW("6.1.3", "-t:|-c:middle|c:", "text(middle)"),
	ROW("6.2.1", "t:Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3"
	    "\xa1-UTF-8!!", "text(Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0"
	    "\xc3\xa1-UTF-8!!)"),
	ROW("6.2.2", "-t:Hello-\xc2\xb5@\xc3\x9f|c:\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0"
	    "\xc3\xa1-UTF-8!!", "text(Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0"
	    "\xc3\xa1-UTF-8!!)"),
	ROW("6.2.3", "-t:H|-c:e|-c:l|-c:l|-c:o|-c:-|-c:\xc2|-c:\xb5|-c:@|-c:\xc3|-c:"
	    "\x9f|-c:\xc3|-c:\xb6|-c:\xc3|-c:\xa4|-c:\xc3|-c:\xbc|-c:\xc3|-"
	    "c:\xa0|-c:\xc3|-c:\xa1|-c:-|-c:U|-c:T|-c:F|-c:-|-c:8|-c:!|-c:!"
	    "|c:", "text(Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0"
	    "\xc3\xa1-UTF-8!!)"),
	ROW("6.2.4", "-t:\xce|-c:\xba|-c:\xcf|-c:\x8c|-c:\xcf|-c:\x83|-c:\xce|-c:"
	    "\xbc|-c:\xce|-c:\xb5|c:", "text(\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5)"),
	ROW("6.3.1", "t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80" "edite"
	    "d", "bad(1007)"),
	ROW("6.3.2", "-t:\xce|-c:\xba|-c:\xcf|-c:\x8c|-c:\xcf|-c:\x83|-c:\xce|-c:"
	    "\xbc|-c:\xce|-c:\xb5|-c:\xed|-c:\xa0|-c:\x80|-c:e|-c:d|-c:i|-c"
	    ":t|-c:e|-c:d|c:", "bad(1007)"),
	ROW("6.4.1", "-t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5|-c:\xf4\x90\x80"
	    "\x80|c:edited", "bad(1007)"),
	ROW("6.4.2", "-t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5\xf4|-c:\x90|c:\x80"
	    "\x80" "edited", "bad(1007)"),
	ROW("6.5.1", "t:\xce\xba", "text(\xce\xba)"),
	ROW("6.5.2", "t:\xce\xba\xcf\x8c", "text(\xce\xba\xcf\x8c)"),
	ROW("6.5.3", "t:\xce\xba\xcf\x8c\xcf\x83", "text(\xce\xba\xcf\x8c\xcf\x83)"),
	ROW("6.5.4", "t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc",
	    "text(\xce\xba\xcf\x8c\xcf\x83\xce\xbc)"),
	ROW("6.5.5", "t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5",
	    "text(\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5)"),
	ROW("6.6.1", "t:\xce", "bad(1007)"),
	ROW("6.6.2", "t:\xce\xba", "text(\xce\xba)"),
	ROW("6.6.3", "t:\xce\xba\xcf", "bad(1007)"),
	ROW("6.6.4", "t:\xce\xba\xcf\x8c", "text(\xce\xba\xcf\x8c)"),
	ROW("6.6.5", "t:\xce\xba\xcf\x8c\xcf", "bad(1007)"),
	ROW("6.6.6", "t:\xce\xba\xcf\x8c\xcf\x83", "text(\xce\xba\xcf\x8c\xcf\x83)"),
	ROW("6.6.7", "t:\xce\xba\xcf\x8c\xcf\x83\xce", "bad(1007)"),
	ROW("6.6.8", "t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc",
	    "text(\xce\xba\xcf\x8c\xcf\x83\xce\xbc)"),
	ROW("6.6.9", "t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce", "bad(1007)"),
	ROW("6.6.10", "t:\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5",
	    "text(\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5)"),
	ROW("6.7.1", "t:\x00", "text(\x00)"),
	ROW("6.7.2", "t:\xc2\x80", "text(\xc2\x80)"),
	ROW("6.7.3", "t:\xe0\xa0\x80", "text(\xe0\xa0\x80)"),
	ROW("6.7.4", "t:\xf0\x90\x80\x80", "text(\xf0\x90\x80\x80)"),
	ROW("6.8.1", "t:\xf8\x88\x80\x80\x80", "bad(1007)"),
	ROW("6.8.2", "t:\xfc\x84\x80\x80\x80\x80", "bad(1007)"),
	ROW("6.9.1", "t:\x7f", "text(\x7f)"),
	ROW("6.9.2", "t:\xdf\xbf", "text(\xdf\xbf)"),
	ROW("6.9.3", "t:\xef\xbf\xbf", "text(\xef\xbf\xbf)"),
	ROW("6.9.4", "t:\xf4\x8f\xbf\xbf", "text(\xf4\x8f\xbf\xbf)"),
	ROW("6.10.1", "t:\xf7\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.10.2", "t:\xfb\xbf\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.10.3", "t:\xfd\xbf\xbf\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.11.1", "t:\xed\x9f\xbf", "text(\xed\x9f\xbf)"),
	ROW("6.11.2", "t:\xee\x80\x80", "text(\xee\x80\x80)"),
	ROW("6.11.3", "t:\xef\xbf\xbd", "text(\xef\xbf\xbd)"),
	ROW("6.11.4", "t:\xf4\x8f\xbf\xbf", "text(\xf4\x8f\xbf\xbf)"),
	ROW("6.11.5", "t:\xf4\x90\x80\x80", "bad(1007)"),
	ROW("6.12.1", "t:\x80", "bad(1007)"),
	ROW("6.12.2", "t:\xbf", "bad(1007)"),
	ROW("6.12.3", "t:\x80\xbf", "bad(1007)"),
	ROW("6.12.4", "t:\x80\xbf\x80", "bad(1007)"),
	ROW("6.12.5", "t:\x80\xbf\x80\xbf", "bad(1007)"),
	ROW("6.12.6", "t:\x80\xbf\x80\xbf\x80", "bad(1007)"),
	ROW("6.12.7", "t:\x80\xbf\x80\xbf\x80\xbf", "bad(1007)"),
	ROW("6.12.8", "t:\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e"
	    "\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d"
	    "\x9e\x9f\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac"
	    "\xad\xae\xaf\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb"
	    "\xbc\xbd\xbe\xbf", "bad(1007)"),
	ROW("6.13.1", "t:\xc0 \xc1 \xc2 \xc3 \xc4 \xc5 \xc6 \xc7 \xc8 \xc9 \xca \xcb "
	    "\xcc \xcd \xce \xcf \xd0 \xd1 \xd2 \xd3 \xd4 \xd5 \xd6 \xd7 "
	    "\xd8 \xd9 \xda \xdb \xdc \xdd \xde \xdf", "bad(1007)"),
	ROW("6.13.2", "t:\xe0 \xe1 \xe2 \xe3 \xe4 \xe5 \xe6 \xe7 \xe8 \xe9 \xea \xeb "
	    "\xec \xed \xee \xef", "bad(1007)"),
	ROW("6.13.3", "t:\xf0 \xf1 \xf2 \xf3 \xf4 \xf5 \xf6 \xf7", "bad(1007)"),
	ROW("6.13.4", "t:\xf8 \xf9 \xfa \xfb ", "bad(1007)"),
	ROW("6.13.5", "t:\xfc \xfd ", "bad(1007)"),
	ROW("6.14.1", "t:\xc0", "bad(1007)"),
	ROW("6.14.2", "t:\xe0\x80", "bad(1007)"),
	ROW("6.14.3", "t:\xf0\x80\x80", "bad(1007)"),
	ROW("6.14.4", "t:\xf8\x80\x80\x80", "bad(1007)"),
	ROW("6.14.5", "t:\xfc\x80\x80\x80\x80", "bad(1007)"),
	ROW("6.14.6", "t:\xdf", "bad(1007)"),
	ROW("6.14.7", "t:\xef\xbf", "bad(1007)"),
	ROW("6.14.8", "t:\xf7\xbf\xbf", "bad(1007)"),
	ROW("6.14.9", "t:\xfb\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.14.10", "t:\xfd\xbf\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.15.1", "t:\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80"
	    "\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.16.1", "t:\xfe", "bad(1007)"),
	ROW("6.16.2", "t:\xff", "bad(1007)"),
	ROW("6.16.3", "t:\xfe\xfe\xff\xff", "bad(1007)"),
	ROW("6.17.1", "t:\xc0\xaf", "bad(1007)"),
	ROW("6.17.2", "t:\xe0\x80\xaf", "bad(1007)"),
	ROW("6.17.3", "t:\xf0\x80\x80\xaf", "bad(1007)"),
	ROW("6.17.4", "t:\xf8\x80\x80\x80\xaf", "bad(1007)"),
	ROW("6.17.5", "t:\xfc\x80\x80\x80\x80\xaf", "bad(1007)"),
	ROW("6.18.1", "t:\xc1\xbf", "bad(1007)"),
	ROW("6.18.2", "t:\xe0\x9f\xbf", "bad(1007)"),
	ROW("6.18.3", "t:\xf0\x8f\xbf\xbf", "bad(1007)"),
	ROW("6.18.4", "t:\xf8\x87\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.18.5", "t:\xfc\x83\xbf\xbf\xbf\xbf", "bad(1007)"),
	ROW("6.19.1", "t:\xc0\x80", "bad(1007)"),
	ROW("6.19.2", "t:\xe0\x80\x80", "bad(1007)"),
	ROW("6.19.3", "t:\xf0\x80\x80\x80", "bad(1007)"),
	ROW("6.19.4", "t:\xf8\x80\x80\x80\x80", "bad(1007)"),
	ROW("6.19.5", "t:\xfc\x80\x80\x80\x80\x80", "bad(1007)"),
	ROW("6.20.1", "t:\xed\xa0\x80", "bad(1007)"),
	ROW("6.20.2", "t:\xed\xad\xbf", "bad(1007)"),
	ROW("6.20.3", "t:\xed\xae\x80", "bad(1007)"),
	ROW("6.20.4", "t:\xed\xaf\xbf", "bad(1007)"),
	ROW("6.20.5", "t:\xed\xb0\x80", "bad(1007)"),
	ROW("6.20.6", "t:\xed\xbe\x80", "bad(1007)"),
	ROW("6.20.7", "t:\xed\xbf\xbf", "bad(1007)"),
	ROW("6.21.1", "t:\xed\xa0\x80\xed\xb0\x80", "bad(1007)"),
	ROW("6.21.2", "t:\xed\xa0\x80\xed\xbf\xbf", "bad(1007)"),
	ROW("6.21.3", "t:\xed\xad\xbf\xed\xb0\x80", "bad(1007)"),
	ROW("6.21.4", "t:\xed\xad\xbf\xed\xbf\xbf", "bad(1007)"),
	ROW("6.21.5", "t:\xed\xae\x80\xed\xb0\x80", "bad(1007)"),
	ROW("6.21.6", "t:\xed\xae\x80\xed\xbf\xbf", "bad(1007)"),
	ROW("6.21.7", "t:\xed\xaf\xbf\xed\xb0\x80", "bad(1007)"),
	ROW("6.21.8", "t:\xed\xaf\xbf\xed\xbf\xbf", "bad(1007)"),
	ROW("6.22.1", "t:\xef\xbf\xbe", "text(\xef\xbf\xbe)"),
	ROW("6.22.2", "t:\xef\xbf\xbf", "text(\xef\xbf\xbf)"),
	ROW("6.22.3", "t:\xf0\x9f\xbf\xbe", "text(\xf0\x9f\xbf\xbe)"),
	ROW("6.22.4", "t:\xf4\x8f\xbf\xbe", "text(\xf4\x8f\xbf\xbe)"),
	/* 7: close */
	ROW("7.1.1", "t:Hello|x:\x03\xe8", "text(Hello)close(1000,)"),
	ROW("7.1.2", "x:\x03\xe8|x:\x03\xe8", "close(1000,)"),
	ROW("7.1.3", "x:\x03\xe8|i:", "close(1000,)"),
	ROW("7.1.4", "x:\x03\xe8|t:Hello", "close(1000,)"),
	ROW("7.1.5", "-t:fragment1|x:\x03\xe8|c:fragment2", "close(1000,)"),
	ROW("7.1.6", "t:*65536|t:Hello|x:\x03\xe8|i:",
	    "text(*65536)text(Hello)close(1000,)"),
	ROW("7.3.1", "x:", "close(1005,)"),
	ROW("7.3.2", "x:a", "bad(1002)"),
	ROW("7.3.3", "x:\x03\xe8", "close(1000,)"),
	ROW("7.3.4", "x:\x03\xe8Hello World!", "close(1000,Hello World!)"),
	ROW("7.3.5", "x:\x03\xe8xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxx", "close(1000,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxx)"),
	ROW("7.3.6", "x:\x03\xe8xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxx", "bad(1002)"),
	ROW("7.3.a", "-x:\x03\xe8", "bad(1002)"),
	ROW("7.5.1", "x:\x03\xe8\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80" "e"
	    "dited", "bad(1007)"),
	ROW("7.7.1", "x:\x03\xe8", "close(1000,)"),
	ROW("7.7.2", "x:\x03\xe9", "close(1001,)"),
	ROW("7.7.3", "x:\x03\xea", "close(1002,)"),
	ROW("7.7.4", "x:\x03\xeb", "close(1003,)"),
	ROW("7.7.5", "x:\x03\xef", "close(1007,)"),
	ROW("7.7.6", "x:\x03\xf0", "close(1008,)"),
	ROW("7.7.7", "x:\x03\xf1", "close(1009,)"),
	ROW("7.7.8", "x:\x03\xf2", "close(1010,)"),
	ROW("7.7.9", "x:\x03\xf3", "close(1011,)"),
	ROW("7.7.10", "x:\x03\xf4", "close(1012,)"),
	ROW("7.7.11", "x:\x03\xf5", "close(1013,)"),
	ROW("7.7.12", "x:\x03\xf6", "close(1014,)"),
	ROW("7.7.13", "x:\x0b\xb8", "close(3000,)"),
	ROW("7.7.14", "x:\x0f\x9f", "close(3999,)"),
	ROW("7.7.15", "x:\x0f\xa0", "close(4000,)"),
	ROW("7.7.16", "x:\x11" "1", "close(4401,)"),
	ROW("7.7.17", "x:\x13\x87", "close(4999,)"),
	ROW("7.9.1", "x:\x00\x00", "bad(1002)"),
	ROW("7.9.2", "x:\x03\xe7", "bad(1002)"),
	ROW("7.9.3", "x:\x03\xec", "bad(1002)"),
	ROW("7.9.4", "x:\x03\xed", "bad(1002)"),
	ROW("7.9.5", "x:\x03\xee", "bad(1002)"),
	ROW("7.9.6", "x:\x03\xf7", "bad(1002)"),
	ROW("7.9.7", "x:\x03\xf8", "bad(1002)"),
	ROW("7.9.8", "x:\x04L", "bad(1002)"),
	ROW("7.9.9", "x:\x07\xd0", "bad(1002)"),
	ROW("7.9.10", "x:\x0b\xb7", "bad(1002)"),
	ROW("7.9.11", "x:\x13\x88", "bad(1002)"),
	ROW("7.9.12", "x:\xff\xff", "bad(1002)"),
	/* 9, 10: limits; these tests read 100000 bytes and 50 frames a message */
	ROW("9.1", "t:*100000", "text(*100000)"),
	ROW("9.2", "t:*100001", "bad(1009)"),
	ROW("9.3", "-t:*100000|c:", "text(*100000)"),
	ROW("9.4", "-t:*99999|-c:x|c:x", "bad(1009)"),
	ROW("9.5", "-t:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x"
	    "|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x"
	    "|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x"
	    "|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x|-c:x"
	    "|-c:x|c:x",
	    "text(*50)"),
	ROW("9.6", "-t:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:"
	    "|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:"
	    "|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:"
	    "|-c:|-c:|-c:|-c:|-c:|c:",
	    "bad(1008)"),
	ROW("9.7", "-t:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:"
	    "|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:"
	    "|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:|-c:"
	    "|-c:|-c:|-c:|-c:|i:|c:|t:y",
	    "ping()text()text(y)"),
	ROW("10.1.1", "-t:*32768|-c:*2048|-c:*2048|-c:*2048|-c:*2048|-c:*2048|-c:*204"
	    "8|-c:*2048|-c:*2048|-c:*2048|-c:*2048|-c:*2048|-c:*2048|-c:*20"
	    "48|-c:*2048|-c:*2048|c:*2048", "text(*65536)"),
	/* frames that are malformed */
	ROW("no mask", "~t:Hello", "bad(1002)"),
	ROW("no mask, empty", "~t:", "bad(1002)"),
	ROW("no mask, ping", "~i:", "bad(1002)"),
	ROW("no mask, close", "~x:\x03\xe8", "bad(1002)"),
	ROW("125 in 2 bytes", "+2t:*125", "bad(1002)"),
	ROW("126 in 8 bytes", "+8t:*126", "bad(1002)"),
	ROW("65535 in 8 bytes", "+8t:*65535", "bad(1002)"),
	ROW("0 in 8 bytes", "+8t:", "bad(1002)"),
	ROW("ping with a length of 2 bytes", "+2i:*10", "bad(1002)"),
	ROW("a length of 2^63", "+9t:x", "bad(1002)"),
	ROW("a length of 2^63 - 1", "+7t:x", "bad(1009)"),
	ROW("all reserved", "^7F:*10", "bad(1002)"),
};
const size_t ws_cases_n = COUNT(ws_cases);

/* ---- bytes of a case ------------------------------------------------------------ */

struct frame {
	bool more, bare;
	unsigned reserved, wide, opcode;
	struct str payload;                  /* NULL: n times x */
	size_t n;
};

static unsigned
digit(struct str *s)
{
	unsigned n = (unsigned)(s->p[1] - '0');

	*s = str_sub(*s, 2, s->n);
	return n;
}

static unsigned
read_opcode(char ch)
{
	static const char letters[] = "ctb.....xio";
	const char *at = strchr(letters, ch);

	return at != NULL ? (unsigned)(at - letters) : (unsigned)strtoul((char[]){ ch, 0 }, NULL, 16);
}

static struct frame
read_frame(struct str s)
{
	struct frame f = { 0 };
	uint64_t times;

	while (s.p[1] != ':') {
		switch (s.p[0]) {
		case '-':
			f.more = true;
			s = str_sub(s, 1, s.n);
			break;
		case '~':
			f.bare = true;
			s = str_sub(s, 1, s.n);
			break;
		case '^':
			f.reserved = digit(&s);
			break;
		default:
			f.wide = digit(&s);
			break;
		}
	}
	f.opcode = read_opcode(s.p[0]);
	f.payload = str_sub(s, 2, s.n);
	f.n = f.payload.n;
	if (s.n > 2 && s.p[2] == '*' && str_to_u64(str_sub(s, 3, s.n), &times)) {
		f.payload = STR_NONE;
		f.n = (size_t)times;
	}
	return f;
}

static void
add_length(struct buf *b, const struct frame *f, uint64_t n)
{
	char mask = f->bare ? 0 : (char)0x80;
	unsigned wide = f->wide != 0 ? f->wide : n <= 125 ? 0 : n <= 65535 ? 2 : 8;

	if (wide == 9 || wide == 7) {
		n = (UINT64_C(1) << 63) - (wide == 7);
		wide = 8;
	}
	buf_add_char(b, (char)(mask | (char)(wide == 0 ? (char)n : wide == 2 ? 126 : 127)));
	for (unsigned i = wide; i > 0; i--)
		buf_add_char(b, (char)(n >> (8 * (i - 1)) & 255));
}

static void
add_frame(struct buf *b, const struct frame *f)
{
	static const char mask[] = { 0x37, (char)0xfa, 0x21, 0x3d };

	buf_add_char(b, (char)((f->more ? 0 : 0x80) | f->reserved << 4 | f->opcode));
	add_length(b, f, f->n);
	if (!f->bare)
		buf_add(b, (struct str){ mask, 4 });
	for (size_t i = 0; i < f->n; i++) {
		char ch = f->payload.p == NULL ? 'x' : f->payload.p[i];

		buf_add_char(b, f->bare ? ch : (char)(ch ^ mask[i % 4]));
	}
}

void
ws_case_add(struct buf *b, struct str frames)
{
	struct str part;

	while (str_next(&frames, '|', &part)) {
		struct frame f = read_frame(part);

		add_frame(b, &f);
	}
}

void
ws_case_say(struct buf *b, const char *what, struct str payload)
{
	size_t n = 0;

	while (n < payload.n && payload.p[n] == 'x')
		n++;
	buf_add_fmt(b, "%s(", what);
	if (n == payload.n && n >= 20)
		buf_add_fmt(b, "*%zu", n);
	else
		buf_add(b, payload);
	buf_add_char(b, ')');
}
