# 85-origin  Without auth a server answers people and programs, not any page that a browser has open.
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads {} with origin "http://localhost:3000" -> 200
post    /threads {} with origin "https://evil.example" -> 403, .detail has "--cors-origins"
post    /threads {} with origin "null" -> 403
# a body that needs no preflight is no way in
post    /threads "{}" with content-type "text/plain" with origin "https://evil.example" -> 403
get     /threads/$t with host "evil.example:2024" -> 403, .detail has "--allowed-hosts"
delete  /threads/$t with host "127.0.0.1.evil.example" -> 403
post    /mcp {} with origin "https://evil.example" -> 403
get     /threads/$t with host "app.localhost:2024" -> 200
server  stop
server  start --allowed-hosts agents.example.org --cors-origins https://chat.example.org
post    /threads {} with host "agents.example.org:2024" with origin "https://chat.example.org" -> 200
post    /threads {} with origin "https://chat.example.org:444" -> 403
server  stop
# --insecure takes any name, but no more pages
server  start --insecure
get     /info with host "agents.example.org" -> 200
post    /threads {} with host "agents.example.org" with origin "https://evil.example" -> 403
server  stop
# with auth the token decides; MCP asks for a known origin all the same
server  start --jwt-secret 0123456789abcdef0123456789abcdef
jwt     $ann {"alg": "HS256"} {"sub": "ann", "exp": 4102444800} "0123456789abcdef0123456789abcdef"
post    /threads {} with authorization "Bearer $ann" with origin "https://any.example" with host "any.example" -> 200, header access-control-allow-origin == "*"
post    /threads {} with origin "https://any.example" -> 401
post    /mcp {"jsonrpc": "2.0", "id": 1, "method": "ping"} with authorization "Bearer $ann" with origin "https://any.example" -> 403
post    /work/mcp {"jsonrpc": "2.0", "id": 1, "method": "ping"} with authorization "Bearer $ann" with origin "https://any.example" -> 403
post    /mcp {"jsonrpc": "2.0", "id": 1, "method": "ping"} with authorization "Bearer $ann" with accept "application/json, text/event-stream" -> 200
server  stop
cohort  serve --store memory --port 0 --cors-origins chat.example -> 1, has "cors-origins: expected scheme://host"
