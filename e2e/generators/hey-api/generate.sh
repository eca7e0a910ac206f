node_modules/.bin/openapi-ts --input openapi.json --output out --plugins @hey-api/client-fetch @hey-api/typescript @hey-api/sdk
