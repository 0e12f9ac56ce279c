-- What a write changes besides: keys, triggers, rules, defaults (trap 79).

-- case: trap 79: rows that go with others
create table users (id int primary key);
create table posts (id int primary key, author int references users on delete cascade);
create table notes (id int primary key);
insert into users values (1);
insert into posts values (1, 1);
-- read: /posts
-- keeps: POST /notes {"id":9}
-- stale: DELETE /users?id=eq.1

-- case: references that are set to nothing
create table users (id int primary key);
create table posts (id int primary key, author int references users on delete set null);
create table notes (id int primary key);
insert into users values (1);
insert into posts values (1, 1);
-- read: /posts?id=eq.1
-- keeps: POST /notes {"id":9}
-- stale: DELETE /users?id=eq.1

-- case: references that are set to their default
create table users (id int primary key);
create table posts (id int primary key, author int default 2 references users on delete set default);
create table notes (id int primary key);
insert into users values (1), (2);
insert into posts values (1, 1);
-- read: /posts?author=eq.2
-- keeps: POST /notes {"id":9}
-- stale: DELETE /users?id=eq.1

-- case: references that follow
create table users (id int primary key);
create table posts (id int primary key, author int references users on update cascade);
create table notes (id int primary key);
insert into users values (1);
insert into posts values (1, 1);
-- read: /posts
-- keeps: POST /notes {"id":9}
-- stale: PATCH /users?id=eq.1 {"id":2}

-- case: a key that changes nothing keeps the hit
create table users (id int primary key, name text);
create table posts (id int primary key, author int references users);
insert into users values (1, 'Ann');
insert into posts values (1, 1);
-- read: /posts
-- keeps: PATCH /users?id=eq.1 {"name":"Cy"}
-- stale: POST /posts {"id":2,"author":1}

-- case: rows that go with rows that go with others
create table users (id int primary key);
create table posts (id int primary key, author int references users on delete cascade);
create table likes (id int primary key, post int references posts on delete cascade);
create table notes (id int primary key);
insert into users values (1);
insert into posts values (1, 1);
insert into likes values (1, 1);
-- read: /likes
-- keeps: POST /notes {"id":9}
-- stale: DELETE /users?id=eq.1

-- case: a table whose rows go with one another
create table folders (id int primary key, parent int references folders on delete cascade);
create table notes (id int primary key);
insert into folders values (1, null), (2, 1);
-- read: /folders?id=eq.2
-- keeps: POST /notes {"id":9}
-- stale: DELETE /folders?id=eq.1

-- case: a trigger that writes elsewhere
create table orders (id int primary key);
create table audit (id serial primary key, what int);
create table notes (id int primary key);
create function log() returns trigger language plpgsql as
  $$ begin insert into audit (what) values (new.id); return new; end $$;
create trigger log after insert on orders for each row execute function log();
-- read: /audit?select=what
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"id":1}

-- case: a trigger that counts in a parent
create table threads (id int primary key, messages int default 0);
create table messages (id int primary key, thread int references threads);
create table notes (id int primary key);
create function counted() returns trigger language plpgsql as
  $$ begin update threads set messages = messages + 1 where id = new.thread; return null; end $$;
create trigger counted after insert on messages for each row execute function counted();
insert into threads values (1);
-- read: /threads?id=eq.1
-- keeps: POST /notes {"id":9}
-- stale: POST /messages {"id":1,"thread":1}

-- case: a trigger whose function calls another
create table orders (id int primary key);
create table stock (id int primary key, left_over int);
create table notes (id int primary key);
create function take(n int) returns void language sql as $$ update stock set left_over = left_over - 1 where id = n $$;
create function taken() returns trigger language plpgsql as $$ begin perform take(1); return new; end $$;
create trigger taken before insert on orders for each row execute function taken();
insert into stock values (1, 5);
-- read: /stock
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"id":1}

-- case: a trigger on rows that go with others
create table users (id int primary key);
create table posts (id int primary key, author int references users on delete cascade);
create table audit (id serial primary key, what int);
create table notes (id int primary key);
create function log() returns trigger language plpgsql as
  $$ begin insert into audit (what) values (old.id); return old; end $$;
create trigger log after delete on posts for each row execute function log();
insert into users values (1);
insert into posts values (1, 1);
-- read: /audit?select=what
-- keeps: POST /notes {"id":9}
-- stale: DELETE /users?id=eq.1

-- case: a trigger for each statement
create table orders (id int primary key);
create table runs (id serial primary key);
create table notes (id int primary key);
create function ran() returns trigger language plpgsql as $$ begin insert into runs default values; return null; end $$;
create trigger ran after insert on orders for each statement execute function ran();
-- read: /runs
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"id":1}

-- case: a trigger that waits for the end
create table orders (id int primary key);
create table audit (id serial primary key, what int);
create table notes (id int primary key);
create function log() returns trigger language plpgsql as
  $$ begin insert into audit (what) values (new.id); return new; end $$;
create constraint trigger log after insert on orders deferrable initially deferred
  for each row execute function log();
-- read: /audit?select=what
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"id":1}

-- case: a trigger that runs SQL that it puts together is unsure
create table orders (id int primary key);
create table audit (what int);
create function log() returns trigger language plpgsql as
  $$ begin execute 'insert into ' || tg_argv[0] || ' values ($1)' using new.id; return new; end $$;
create trigger log after insert on orders for each row execute function log('$schema.audit');
-- read: /audit
-- unsure: cascades orders
-- stale: POST /orders {"id":1}

-- case: a rule that writes elsewhere
create table orders (id int primary key);
create table audit (what int);
create table notes (id int primary key);
create rule log as on insert to orders do also insert into audit values (new.id);
-- read: /audit
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"id":1}

-- case: a default that writes elsewhere
create table counters (name text primary key, n int);
create table notes (id int primary key);
insert into counters values ('orders', 0);
create function next_number() returns int language sql as
  $$ update counters set n = n + 1 where name = 'orders' returning n $$;
create table orders (id int primary key default next_number(), what text);
-- read: /counters
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"what":"x"}

-- case: a trigger that is off writes nothing
create table orders (id int primary key);
create table audit (id serial primary key, what int);
create function log() returns trigger language plpgsql as
  $$ begin insert into audit (what) values (new.id); return new; end $$;
create trigger log after insert on orders for each row execute function log();
alter table orders disable trigger log;
-- read: /audit?select=what
-- keeps: POST /orders {"id":1}
-- stale: POST /audit {"what":5}
