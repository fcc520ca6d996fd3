# 60-kill-model-call  Killed in the middle of an answer, a run goes on by itself after the restart.
model   for "mock:stallx1" reply "one two three four"
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "mock:stallx1" {"stream_mode": ["messages-tuple"], "stream_resumable": true} as s
        -> event metadata, .attempt == 1, $r = .run_id, text "one two", id 3
server  kill
sse     s -> cut
server  start --shards 2
log     has "store recovered runs=1 given_up=0"
get     /threads/$t/runs/$r/join -> 200, .messages.*.content == ["mock:stallx1", "one two three four"]
get     /threads/$t/runs/$r -> 200, .status == "success"
# the client that was cut off resumes after what it saw: all of the second attempt is new to it
sse     get /threads/$t/runs/$r/stream with last-event-id "3" as more
        -> event metadata, .attempt == 2, .run_id == $r, text "one two three four", skip to end
get     /threads/$t/state -> 200, .metadata.run_attempt == 2
# nothing was written twice
get     /threads/$t/history -> 200, .*.metadata.step == [1, 0, -1], .*.values.messages.length == [2, 1, 0]
log     lacks " error "
