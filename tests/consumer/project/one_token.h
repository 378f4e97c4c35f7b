#pragma once

// One token, the key set that it verifies by, and a time at which it is good. For C and C++.

static const char kJwks[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k1\","
    "\"x\":\"h6DH6TYMIMabVlX_RKKSSaPuiK1j9S1juYdBKQxB6yY\",\"y\":\"IawcJxRAgRdmYPl2OGXydKQjCtYOP9Y_"
    "6mePBzEEqzI\"}]}";

// {"iss":"https://idp.example","sub":"alice","aud":"https://mcp.example/mcp","client_id":"agent-7",
//  "iat":1800000000,"exp":1800003600,"jti":"j1","scope":"files:read"}
static const char kBearer[] =
    "Bearer "
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3Vi"
    "IjoiYWxpY2UiLCJhdWQiOiJodHRwczovL21jcC5leGFtcGxlL21jcCIsImNsaWVudF9pZCI6ImFnZW50LTciLCJpYXQiOjE4MDAwMDAw"
    "MDAs"
    "ImV4cCI6MTgwMDAwMzYwMCwianRpIjoiajEiLCJzY29wZSI6ImZpbGVzOnJlYWQifQ.wy7jx0z8V1Egu-uvbbt4tZWelyJn2vnXLfb_"
    "zpkcE"
    "f_O1FVZmNe7FkQ0Lz4nA2MDR6GZIFYc-qZI6KISJa7FMA";

enum { kNow = 1800000060 };
