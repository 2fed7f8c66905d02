#pragma once
/*
 * A disk in memory that does what disks may do: it loses, cuts and reorders what was not synced,
 * and fails any call. Files are named by their path; one folder.
 */
#include "base/buf.h"
#include "spool/disk.h"

struct sim_disk;

struct sim_disk *sim_disk_new(uint64_t seed);
struct sim_disk *sim_disk_free(struct sim_disk *d);
struct disk *sim_disk_as_disk(struct sim_disk *d);

/* The call after so many fails with this errno: a write in the middle, a sync for ever (what it was
 * to sync stays readable and does not reach the disk by a later sync). Negative: none. */
void sim_disk_fail(struct sim_disk *d, int after, int with_errno);
bool sim_disk_has_failed(const struct sim_disk *d); /* since that was asked for */
/* All files together; writes beyond it fail with ENOSPC. */
void sim_disk_capacity(struct sim_disk *d, uint64_t bytes);
uint64_t sim_disk_bytes(const struct sim_disk *d);

/* The process is gone: its descriptors are closed. */
void sim_disk_kill(struct sim_disk *d);
/* And the machine, too: of what was not synced, anything may be there. */
void sim_disk_power_loss(struct sim_disk *d);

/* The file's bytes, to look at or to damage; NULL: there is none. */
struct buf *sim_disk_file(struct sim_disk *d, const char *path);
unsigned sim_disk_files(const struct sim_disk *d);
const char *sim_disk_name(const struct sim_disk *d, unsigned i);
