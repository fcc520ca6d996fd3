# 72-open-to-all  Other addresses than loopback need credentials, or --insecure.
cohort  serve --host 0.0.0.0 --port 0 -> 1, has "refusing to serve 0.0.0.0", has "--insecure", has "--jwt-secret"
cohort  serve --host 0.0.0.0 --port 0 --insecure --test-hooks -> 1, has "loopback only"
server  start --host 0.0.0.0 --insecure
log     has "off (--insecure)"
get     /info -> 200
post    /threads {} -> 200
server  stop
server  start --host 0.0.0.0 --jwt-secret 0123456789abcdef0123456789abcdef
get     /ok -> 200
post    /threads {} -> 401, header www-authenticate == "Bearer"
