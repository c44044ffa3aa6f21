-- Who a token or an API key stands for, with every request: the ORM needs three times as long to say the same.
-- A match binds the transaction to the member's tenant; without one the transaction stays without a tenant.
-- The columns of a user and of a tenant stand in the order of their models, from_db() takes them so.

\set user_id '00000000-0000-0000-0000-000000000000'
\set stamp sample
\set digest sample

-- name: member_of_token
-- `stamp`: the user's, as it was when the token was issued; another one ends all their tokens.
SELECT m.role,
    u.is_superuser, u.id, u.email, u.name, u.avatar_url, u.is_staff, u.is_active, u.stamp, u.created_at,
    t.id, t.name, t.open_registration, t.suspended, t.suspension_reason, t.weight, t.max_running,
    set_config('regente.tenant', m.tenant_id, true)
FROM accounts_member_of_token(:'user_id', :'stamp') m
JOIN accounts_user u ON u.id = m.user_id JOIN accounts_tenant t ON t.id = m.tenant_id;

-- name: member_of_key
-- `digest`: the key's SHA-256. Keys that were revoked or have expired match nobody.
SELECT m.role,
    u.is_superuser, u.id, u.email, u.name, u.avatar_url, u.is_staff, u.is_active, u.stamp, u.created_at,
    t.id, t.name, t.open_registration, t.suspended, t.suspension_reason, t.weight, t.max_running,
    m.permissions, m.key_id, set_config('regente.tenant', m.tenant_id, true)
FROM accounts_member_of_key(:'digest') m
JOIN accounts_user u ON u.id = m.user_id JOIN accounts_tenant t ON t.id = m.tenant_id;
