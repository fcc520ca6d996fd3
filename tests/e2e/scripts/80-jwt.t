# 80-jwt  Only a token that is signed with the secret, by HS256, for us and now, lets anyone in.
server  start --jwt-secret 0123456789abcdef0123456789abcdef --jwt-audience cohort --jwt-issuer me
jwt     $good {"alg": "HS256", "typ": "JWT"} {"sub": "ann", "aud": "cohort", "iss": "me", "exp": 4102444800} "0123456789abcdef0123456789abcdef"
post    /threads {} with authorization "Bearer $good" -> 200, $t = .thread_id
get     /threads/$t with authorization "Bearer $good" -> 200
get     /threads/$t -> 401, header www-authenticate == "Bearer"
jwt     $expired {"alg": "HS256"} {"sub": "ann", "aud": "cohort", "iss": "me", "exp": 1600000000} "0123456789abcdef0123456789abcdef"
get     /threads/$t with authorization "Bearer $expired" -> 401, .detail has "expired"
jwt     $early {"alg": "HS256"} {"sub": "ann", "aud": "cohort", "iss": "me", "exp": 4102444800, "nbf": 4102444000} "0123456789abcdef0123456789abcdef"
get     /threads/$t with authorization "Bearer $early" -> 401
jwt     $none {"alg": "none"} {"sub": "ann", "aud": "cohort", "iss": "me", "exp": 4102444800} ""
get     /threads/$t with authorization "Bearer $none" -> 401
jwt     $hs512 {"alg": "HS512"} {"sub": "ann", "aud": "cohort", "iss": "me", "exp": 4102444800} "0123456789abcdef0123456789abcdef"
get     /threads/$t with authorization "Bearer $hs512" -> 401, .detail has "unsupported algorithm"
jwt     $forged {"alg": "HS256"} {"sub": "ann", "aud": "cohort", "iss": "me", "exp": 4102444800} "another secret of thirty-two bytes"
get     /threads/$t with authorization "Bearer $forged" -> 401, .detail has "signature"
jwt     $aud {"alg": "HS256"} {"sub": "ann", "aud": "others", "iss": "me", "exp": 4102444800} "0123456789abcdef0123456789abcdef"
get     /threads/$t with authorization "Bearer $aud" -> 401
jwt     $iss {"alg": "HS256"} {"sub": "ann", "aud": "cohort", "iss": "you", "exp": 4102444800} "0123456789abcdef0123456789abcdef"
get     /threads/$t with authorization "Bearer $iss" -> 401
jwt     $nobody {"alg": "HS256"} {"aud": "cohort", "iss": "me", "exp": 4102444800} "0123456789abcdef0123456789abcdef"
get     /threads/$t with authorization "Bearer $nobody" -> 401
log     lacks 0123456789abcdef
