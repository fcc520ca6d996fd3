# 82-token-settings  `cohort token` signs with what the server here would verify with: secret, audience and issuer.
file    cohort.yaml
        | jwt:
        |   secret: 0123456789abcdef0123456789abcdef
        |   audience: cohort
        |   issuer: me
cohort  token --sub ann -> 0, $ann = line 1
cohort  token --sub ann --aud others -> 0, $others = line 1
cohort  token --sub ann --ttl 9223372036854775807 -> 2, has "--ttl: expected a whole number of seconds"
cohort  token --sub ops --scope admin -> 0, $ops = line 1
cohort  token --sub ops --limits scopes=admin -> 2, has "a token's scopes are --scope"
cohort  token --sub ops --api-key --ttl 60 -> 2, has "--ttl: a key has none"
server  start
log     has cohort.yaml "chmod 600"
post    /threads {} with authorization "Bearer $ann" -> 200
get     /cluster with authorization "Bearer $ann" -> 403, .detail has "needs the scope admin"
get     /cluster with authorization "Bearer $ops" -> 200
post    /threads {} with authorization "Bearer $others" -> 401, .detail has "wrong audience"
server  stop
file    cohort.yaml
        | jwt:
        |   issuer: me
cohort  token -> 2, has "cohort.yaml:2: jwt.issuer needs jwt.secret"
file    cohort.yaml
        | # nothing
cohort  token -> 2, has "no secret to sign with", has "COHORT_JWT_SECRET"
