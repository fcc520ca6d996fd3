# 74-second-signal  One signal finishes what is under way; a second one does not wait for it, and says so.
model   for "slow" reply "one two three" ttft-ms 60000
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "slow" as waits
until   get /threads/$t -> 200, .status == "busy"
server  term
log     has "info main draining signal=15 at_most_ms=10000"
server  term
server  gone
log     has "warn main stops_now signal=15"
# nothing that was acknowledged is lost
server  start
get     /threads/$t -> 200
