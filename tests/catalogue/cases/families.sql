-- Partitions and inheritance (trap 89): one row under several names. A request cannot name a partition, but
-- functions and views can.

-- case: trap 89: a write to a partition
create table events (id int, at date) partition by range (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
create table notes (id int primary key);
create function add_event(n int) returns void language sql as $$ insert into events_2026 values (n, '2026-05-01') $$;
-- read: /events
-- keeps: POST /notes {"id":9}
-- stale: POST /rpc/add_event {"n":1}

-- case: a write to a partitioned table
create table events (id int, at date) partition by range (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
create table notes (id int primary key);
create view this_year as select * from events_2026;
-- read: /this_year
-- keeps: POST /notes {"id":9}
-- stale: POST /events {"id":1,"at":"2026-05-01"}

-- case: a partition of a partition
create table events (id int, at date, kind int) partition by range (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01') partition by list (kind);
create table events_2026_1 partition of events_2026 for values in (1);
create table notes (id int primary key);
create function add_kind(n int) returns void language sql as $$ insert into events_2026_1 values (n, '2026-05-01', 1) $$;
-- read: /events
-- keeps: POST /notes {"id":9}
-- stale: POST /rpc/add_kind {"n":1}

-- case: a write to a child
create table vehicles (id int primary key, name text);
create table cars (doors int) inherits (vehicles);
create table notes (id int primary key);
insert into vehicles values (1, 'bike');
-- read: /vehicles?order=id
-- keeps: POST /notes {"id":9}
-- stale: POST /cars {"id":2,"name":"car","doors":4}

-- case: a write to a parent that changes a child
create table vehicles (id int primary key, name text);
create table cars (doors int) inherits (vehicles);
create table notes (id int primary key);
insert into cars values (2, 'car', 4);
-- read: /cars
-- keeps: POST /notes {"id":9}
-- stale: PATCH /vehicles?id=eq.2 {"name":"van"}

-- case: rows that go with others, in a partition
create table users (id int primary key);
create table visits (id int, person int references users on delete cascade, at date) partition by range (at);
create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');
create table notes (id int primary key);
insert into users values (1);
insert into visits values (1, 1, '2026-05-01');
create view visits_this_year as select * from visits_2026;
-- read: /visits_this_year
-- keeps: POST /notes {"id":9}
-- stale: DELETE /users?id=eq.1

-- case: a view of a partitioned table
create table readings (id int, at date) partition by range (at);
create table readings_2026 partition of readings for values from ('2026-01-01') to ('2027-01-01');
create table notes (id int primary key);
create view reading_count as select count(*) from readings;
create function add_reading(n int) returns void language sql as
  $$ insert into readings_2026 values (n, '2026-05-01') $$;
-- read: /reading_count
-- keeps: POST /notes {"id":9}
-- stale: POST /rpc/add_reading {"n":1}
-- stale: POST /readings {"id":2,"at":"2026-05-02"}

-- case: a trigger of a partitioned table, on a write to its partition
create table calls (id int, at date) partition by range (at);
create table calls_2026 partition of calls for values from ('2026-01-01') to ('2027-01-01');
create table bills (what int);
create table notes (id int primary key);
create function bill() returns trigger language plpgsql as
  $$ begin insert into bills values (new.id); return new; end $$;
create trigger bill after insert on calls for each row execute function bill();
create function add_call(n int) returns void language sql as $$ insert into calls_2026 values (n, '2026-05-01') $$;
-- read: /bills
-- keeps: POST /notes {"id":9}
-- stale: POST /rpc/add_call {"n":1}
