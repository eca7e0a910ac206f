drop table "incoming_webhooks";
drop table "webhook_endpoints";
