node_modules/.bin/kubb generate --config kubb.config.mjs --logLevel silent
