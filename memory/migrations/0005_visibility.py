"""Who sees a memory, as functions of the database: searches, reads, lists and deletions all ask them.

`viewer` is {tenant, user, end_user, app, agent, run}; "" (of the user: null) for what the viewer is not. Both are plain
SQL, which PostgreSQL inlines: indexes are used as if the rule stood in the statement itself.
"""

from django.db import migrations

FUNCTIONS = """
-- Its user (of what the user keeps for end users: that end user's alone), or its app, agent or run.
CREATE FUNCTION memory_is_own(owner_type text, owner_id text, created_by uuid, viewer jsonb)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (created_by = (viewer->>'user')::uuid
            AND (viewer->>'end_user' = '' OR owner_type <> 'user' OR owner_id = viewer->>'end_user'))
        OR (owner_type = 'app' AND owner_id = viewer->>'app' AND viewer->>'app' <> '')
        OR (owner_type = 'agent' AND owner_id = viewer->>'agent' AND viewer->>'agent' <> '')
        OR (owner_type = 'run' AND owner_id = viewer->>'run' AND viewer->>'run' <> '')
$$;
-- Not expired, and: public; or of the viewer's tenant and not private; or the viewer's own.
CREATE FUNCTION memory_is_visible(
    tenant_id text, visibility text, owner_type text, owner_id text, created_by uuid, expires_at timestamptz, viewer jsonb)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (expires_at IS NULL OR expires_at > now())
        AND (visibility = 'public' OR (tenant_id = viewer->>'tenant' AND (
            visibility <> 'private' OR owner_type = 'tenant'
            OR memory_is_own(owner_type, owner_id, created_by, viewer))))
$$;
"""
UNDO = """
DROP FUNCTION memory_is_visible(text, text, text, text, uuid, timestamptz, jsonb);
DROP FUNCTION memory_is_own(text, text, uuid, jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [("memory", "0004_view_of_runs")]

    operations = [migrations.RunSQL(FUNCTIONS, UNDO)]
