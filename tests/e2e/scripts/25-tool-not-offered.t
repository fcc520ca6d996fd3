# 25-tool-not-offered  A model that calls a tool it was not offered does not get it.
model   for "put" call store_put {"namespace": ["x"], "key": "k", "value": {"v": 1}}
model   for tool reply "I cannot."
server  start
post    /runs/wait say "put" {"config": {"configurable": {"tools": ["current_time"]}}}
        -> 200, .messages.2.status == "error", .messages.2.content has "current_time", .messages.3.content == "I cannot."
get     /store/items?namespace=x&key=k -> 200, starts "null"
