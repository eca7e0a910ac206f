// Find expired sessions by index
//
// Old code keeps working: an index changes no answer. It is built under a lock that writes wait for; the table is small beside what hangs
// on users, and its rows are short.

export const up = `
create index "idx_user_sessions_expires_at" on "user_sessions" ("expires_at");
`;

export const down = `
drop index "idx_user_sessions_expires_at";
`;
