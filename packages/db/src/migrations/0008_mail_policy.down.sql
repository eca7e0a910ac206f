alter policy mails_owner on mails with check (recipient = (select email from users where id = (select quoin_user_id())));
drop function quoin_user_email();
