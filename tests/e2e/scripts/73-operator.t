# 73-operator  What a person sees who runs it: a page, a line a request when asked for, how it stops.
server  start
get     / -> 200, header content-type == "text/html; charset=utf-8", has "<h1>Cohort ", has "/openapi.json"
post    / {} -> 405
server  stop
log     has "info main draining signal=15 at_most_ms=10000"
log     has "info main stopped rc=OK"
log     lacks "info api request"
server  start --log-access
post    /threads {} -> 200
log     has "info api request method=POST path=/threads status=200 ms=" "bytes="
log     lacks "ms=0.000 "
server  stop
# the log for machines: an object a line
server  start --log-format json
post    /threads {} -> 200
log     has "{\"ts\":\"" "\"level\":\"debug\",\"room\":\"api\",\"event\":\"request\",\"method\":\"POST\",\"path\":\"/threads\",\"status\":200,"
server  stop
