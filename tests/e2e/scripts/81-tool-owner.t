# 81-tool-owner  The model's notes belong to the user who asked; another user's model does not find them.
model   for "remember" call store_put {"namespace": ["notes"], "key": "pin", "value": {"pin": "4711"}}
model   for "find" call store_search {"namespace": ["notes"]}
model   for tool "4711" reply "It is 4711."
model   for tool reply "Nothing else."
env     COHORT_JWT_SECRET 0123456789abcdef0123456789abcdef
server  start --shards 2
cohort  token --sub ann -> 0, $ann = line 1
cohort  token --sub bob -> 0, $bob = line 1
post    /runs/wait say "remember" with authorization "Bearer $ann" -> 200, .messages.2.status == "success"
post    /runs/wait say "find" with authorization "Bearer $ann" -> 200, .messages.-1.content == "It is 4711."
post    /runs/wait say "find" with authorization "Bearer $bob"
        -> 200, .messages.2.status == "success", .messages.2.content == "{\"items\":[]}", lacks "4711"
get     /store/items?namespace=notes&key=pin with authorization "Bearer $bob" -> 200, starts "null"
get     /store/items?namespace=notes&key=pin with authorization "Bearer $ann" -> 200, .value.pin == "4711"
