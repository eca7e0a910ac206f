mkdir -p out
node_modules/.bin/openapi-zod-client openapi.json -o out/client.ts --export-schemas --media-type-expr "mediaType === 'application/json' || mediaType === 'application/problem+json'"
