# 30-three-runs  Three runs on one thread: one conversation, one chain of checkpoints, runs newest first.
model   for "one" reply "first"
model   for "two" reply "second"
model   for "three" reply "third"
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "one" -> 200, .messages.*.content == ["one", "first"]
post    /threads/$t/runs/wait say "two" -> 200, .messages.*.content == ["one", "first", "two", "second"]
post    /threads/$t/runs/wait say "three"
        -> 200, .messages.*.content == ["one", "first", "two", "second", "three", "third"]
get     /threads/$t/history -> 200, .*.metadata.step == [7, 6, 5, 4, 3, 2, 1, 0, -1],
        .*.values.messages.length == [6, 5, 4, 4, 3, 2, 2, 1, 0],
        .*.metadata.source == ["loop", "loop", "input", "loop", "loop", "input", "loop", "loop", "input"],
        .-1.parent_checkpoint == null, $ids = .*.checkpoint.checkpoint_id, $last = .0.checkpoint.checkpoint_id
get     /threads/$t/history?limit=3 -> 200, .*.metadata.step == [7, 6, 5], $before = .2.checkpoint.checkpoint_id
get     /threads/$t/history?limit=3&before=$before -> 200, .*.metadata.step == [4, 3, 2],
        .0.checkpoint.checkpoint_id != $before
get     /threads/$t/state -> 200, .checkpoint.checkpoint_id == $last, .values.messages.length == 6
get     /threads/$t/runs -> 200, .*.kwargs.input.messages.0.content == ["three", "two", "one"]
get     /threads/$t/runs?limit=1&offset=1&select=status -> 200, . == [{"status": "success"}]
# a restart changes nothing of it
server  kill
server  start
get     /threads/$t/history -> 200, .*.checkpoint.checkpoint_id == $ids
