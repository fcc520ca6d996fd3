# 84-keys-file  Keys come and go with SIGHUP, without a restart; a file that others can write lets nobody in.
file    keys 622
        | fdf6d4fcd0356ad7131fedc1403fc01254298ea2af80eda70c5a28f0ff2437e6 ann
cohort  serve --port 0 --store memory --api-keys keys -> 1, has "keys: writable by others"
file    keys 644
        | fdf6d4fcd0356ad7131fedc1403fc01254298ea2af80eda70c5a28f0ff2437e6 ann
server  start --api-keys keys
log     has "warn auth file_readable file=keys"
get     /threads/00000000-0000-0000-0000-000000000000 with x-api-key "ck_ann" -> 404
get     /threads/00000000-0000-0000-0000-000000000000 with x-api-key "ck_bob" -> 401
file    keys 600
        | c1750081eb5bf6605cc1c849d2cacb546697a4813e57e147d54de903f1bd2057 bob
server  hup
log     has "info main reloaded keys=keys"
get     /threads/00000000-0000-0000-0000-000000000000 with x-api-key "ck_ann" -> 401
get     /threads/00000000-0000-0000-0000-000000000000 with authorization "Bearer ck_bob" -> 404
# what cannot be read changes nothing, and is told
file    keys 600
        | nonsense
server  hup
log     has "error main reload_failed error=" "keys:1: expected 64 hex digits"
get     /threads/00000000-0000-0000-0000-000000000000 with x-api-key "ck_bob" -> 404
server  stop
