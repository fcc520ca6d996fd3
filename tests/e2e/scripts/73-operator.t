# 73-operator  What a person sees who runs it: a page, a line a request when asked for, how it stops.
model   for "slow" reply "one two three" ttft-ms 60000
server  start
get     / -> 200, header content-type == "text/html; charset=utf-8", has "<h1>Cohort ", has "/openapi.json"
post    / {} -> 405
server  stop
log     has "info main draining signal=15 at_most_ms=10000"
log     has "info main stopped rc=OK"
log     lacks "info api request"
server  start --log-access
post    /threads {} -> 200, $t = .thread_id
log     has "info api request method=POST path=/threads status=200 ms=" "bytes="
log     lacks "ms=0.000 "
post    /threads/$t/runs/wait say "slow" as waits
until   get /threads/$t -> 200, .status == "busy"
server  term
server  term
server  gone
log     has "warn main stops_now signal=15"
