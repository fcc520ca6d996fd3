# 67-memory  --store memory serves like the other and forgets everything when it stops.
server  start --store memory
log     has "memory (gone when it stops)"
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "hi" -> 200, .messages.length == 2
get     /threads/$t/history -> 200, .length == 3
put     /store/items {"namespace": ["a"], "key": "k", "value": {}} -> 204
server  stop
server  start --store memory
get     /threads/$t -> 404
get     /store/items?namespace=a&key=k -> 200, starts "null"
