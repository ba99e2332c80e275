-- Workflows of apps: few among many, so the indexes hold only them.
CREATE INDEX workflows_of_app ON workflows (app_uuid, submitted_at, submit_seq) WHERE app_uuid <> '';
CREATE INDEX apps_of_user ON workflows (user_name, app_uuid) WHERE app_uuid <> '';
