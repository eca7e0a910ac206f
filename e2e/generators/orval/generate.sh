node_modules/.bin/orval --input openapi.json --output out/client.ts --client fetch
