import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Lua scripts for wrk. Requests are built in advance, so that wrk itself costs little.

interface Script {
  directory: string;
  name: string;
  /** The requests use them in turn. */
  tokens: string[];
}

const readLines = (file: string) => `local lines, n = {}, 0
for line in io.lines("${file}") do lines[#lines + 1] = line end
`;

function write({ directory, name, tokens }: Script, lua: string): string {
  const tokensFile = join(directory, `${name}.txt`);
  const file = join(directory, `${name}.lua`);
  writeFileSync(tokensFile, tokens.join('\n'));
  writeFileSync(file, readLines(tokensFile) + lua);
  return file;
}

/** Writes a script that repeats one request with changing access tokens. Returns its path. */
export function requestsOf(
  script: Script,
  { method = 'GET', body, cookie }: { method?: string; body?: object; cookie?: string } = {},
): string {
  const json = body ? `'${JSON.stringify(body)}'` : 'nil';
  return write(
    script,
    `init = function()
  for i, token in ipairs(lines) do
    local headers = { ${cookie ? `cookie = "${cookie}=" .. token` : 'authorization = "Bearer " .. token'}, ["content-type"] = ${body ? '"application/json"' : 'nil'} }
    lines[i] = wrk.format("${method}", nil, headers, ${json})
  end
end
request = function() n = n % #lines + 1; return lines[n] end`,
  );
}

/** Writes a script that refreshes sessions, each with the token of its last refresh. Returns its path. */
export function refreshesOf(script: Script): string {
  return write(
    script,
    `local last = #lines
local headers = { ["content-type"] = "application/json" }
request = function()
  n = n + 1
  local token = lines[n]
  lines[n] = nil
  return wrk.format("POST", nil, headers, '{"refresh_token":"' .. token .. '"}')
end
response = function(status, headers, body)
  last = last + 1
  lines[last] = body:match('"refresh_token":"([^"]+)"')
end`,
  );
}
