# 11-plain-errors  --plain-errors gives the text alone, as the JS server does; without it JSON.
server  start --plain-errors
get     /threads/abc -> 422, header content-type has "text/plain", starts "thread_id", lacks "detail"
post    /threads "{" -> 400, has "line 1, column 2", lacks "{"
get     /nowhere -> 404, lacks "detail"
server  stop
server  start
get     /threads/abc -> 422, header content-type has "application/json", .detail has "thread_id"
server  stop
