-- What the clients fight for. `{ipad}` and `{opad}` are the halves of the canaries' key.

-- Counts the states of each row and child; whoever holds a row of it changes that row alone. Never deleted from,
-- so that versions go on where a row comes back.
create table head (r int primary key, ver bigint not null);
create table kv (k int primary key, owner text not null, ver bigint not null, canary text not null);
create table child (
  id int primary key,
  k int not null references kv on delete cascade,
  owner text not null,
  ver bigint not null,
  canary text not null
);

create type change as (r int, ver bigint, is_there boolean);

-- HMAC-SHA256 of what a row says of itself.
create function canary(owner text, r int, ver bigint) returns text language sql immutable as $$
  select encode(sha256('\x{opad}'::bytea || sha256('\x{ipad}'::bytea || convert_to(owner || '/' || r || '/' || ver, 'UTF8'))), 'hex')
$$;

create function owner_of(k int) returns text language sql immutable as $$
  select case (k + 1) % 5 when 0 then 'anybody' else 'user-' || (k + 1) % 5 end
$$;

-- The version is raised in the update itself, so versions follow the order of commits.
create function raise(register int) returns bigint language sql as $$
  update head set ver = ver + 1 where r = register returning ver
$$;

create function hold(keys int[]) returns void language sql as $$
  select from head where r = any(keys) order by r for update
$$;

-- A child comes with its row.
create function with_child() returns trigger language plpgsql as $$
declare v bigint := raise(new.k + 20);
begin
  insert into child values (new.k, new.k, new.owner, v, canary(new.owner, new.k + 20, v));
  return null;
end $$;
create trigger with_child after insert on kv for each row execute function with_child();

create function write_patch(keys int[], who text) returns setof change language plpgsql as $$
declare key int; v bigint;
begin
  perform hold(keys);
  for key in select kv.k from kv where kv.k = any(keys) and owner in (who, 'anybody') order by 1 loop
    v := raise(key);
    update kv set ver = v, canary = canary(owner, k, v) where k = key;
    return next (key, v, true);
  end loop;
end $$;

create function write_child(keys int[], who text) returns setof change language plpgsql as $$
declare v bigint;
begin
  perform hold(keys);
  if exists (select from child where k = keys[1] and owner in (who, 'anybody')) then
    v := raise(keys[1] + 20);
    update child set ver = v, canary = canary(owner, k + 20, v) where k = keys[1];
    return next (keys[1] + 20, v, true);
  end if;
end $$;

create function write_insert(keys int[], who text) returns setof change language plpgsql as $$
declare v bigint;
begin
  perform hold(keys);
  v := raise(keys[1]);
  insert into kv values (keys[1], owner_of(keys[1]), v, canary(owner_of(keys[1]), keys[1], v));
  return next (keys[1], v, true);
  return next (keys[1] + 20, (select ver from child where k = keys[1]), true);
end $$;

create function write_upsert(keys int[], who text) returns setof change language plpgsql as $$
begin
  perform hold(keys);
  if exists (select from kv where k = keys[1]) then
    return query select * from write_patch(keys, who);
  else
    return query select * from write_insert(keys, who);
  end if;
end $$;

create function write_delete(keys int[], who text) returns setof change language plpgsql as $$
declare with_child boolean;
begin
  perform hold(keys);
  with_child := exists (select from child where k = keys[1]);
  delete from kv where k = keys[1] and owner in (who, 'anybody');
  if found then
    return next (keys[1], raise(keys[1]), false);
    if with_child then return next (keys[1] + 20, raise(keys[1] + 20), false); end if;
  end if;
end $$;

insert into head select r, 0 from generate_series(0, 39) r;
insert into kv select k, owner_of(k), raise(k), canary(owner_of(k), k, 1) from generate_series(0, 19) k;
