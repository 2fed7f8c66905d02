#pragma once
/*
 * What systemd is told: READY, STATUS, RELOADING, STOPPING, and the watchdog's beat, which comes
 * from the loop itself, so that a loop that hangs is noticed. sd_notify(3). Loop thread only.
 * Outside systemd all of it does nothing.
 */
struct loop;
struct migration;
struct service;

struct service *service_new(struct loop *l, struct migration *m);
struct service *service_free(struct service *s);
void service_ready(struct service *s);
void service_reloading(void); /* service_ready ends it */
void service_stopping(long grace_seconds);
