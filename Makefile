# Conventional names for the npm scripts.
.PHONY: up down db-upgrade db-revision db-downgrade fmt lint test precommit

# Starts the server in the background and prints its first output. The log is .data/server.log.
up: node_modules
	@mkdir -p .data
	@nohup node_modules/.bin/node --max-semi-space-size=16 --heap-growing-percent=40 apps/api/src/main.js > .data/server.log 2>&1 & echo $$! > .data/server.pid
	@until grep -q 'Quoin answers' .data/server.log; do kill -0 $$(cat .data/server.pid) 2>/dev/null || { cat .data/server.log; exit 1; }; sleep 0.1; done
	@grep -v '^{' .data/server.log

down:
	@[ ! -e .data/server.pid ] || { kill $$(cat .data/server.pid) 2>/dev/null; rm .data/server.pid; }

db-upgrade: node_modules
	@npm run -s db -- upgrade

db-revision: node_modules
	@npm run -s db -- revision -m "$(msg)"

db-downgrade: node_modules
	@npm run -s db -- downgrade

fmt: node_modules
	@npm run -s fmt

lint: node_modules
	@npm run -s lint

test: node_modules
	@npm test

precommit: node_modules
	@npm run -s precommit

node_modules: package-lock.json
	@npm ci && touch node_modules
