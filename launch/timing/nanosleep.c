/*
 * The reference for the servo loop's timing: the plainest loop there is, in C. Wakes at absolute deadlines by
 * clock_nanosleep and prints how late it was, as one line of JSON. Whatever it cannot hold, this computer cannot.
 *
 *   nanosleep RATE_HZ SECONDS PRIORITY      priority 0: normal class, else SCHED_FIFO
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static double *late_us;

static int ascending(const void *one, const void *other) {
  double difference = *(const double *)one - *(const double *)other;
  return (difference > 0) - (difference < 0);
}

static long long now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **values) {
  if (count != 4) return 2;
  double rate_hz = atof(values[1]), seconds = atof(values[2]);
  struct sched_param fifo = {.sched_priority = atoi(values[3])};
  long ticks = (long)(rate_hz * seconds), ran = 0, missed = 0;
  if (!(rate_hz > 0) || ticks < 1) return 2;
  if (fifo.sched_priority > 0 && sched_setscheduler(0, SCHED_FIFO, &fifo) != 0) {
    perror("SCHED_FIFO");
    return 1;
  }
  late_us = calloc(ticks, sizeof *late_us);
  if (late_us == NULL) return 1;
  mlockall(MCL_CURRENT | MCL_FUTURE); /* best effort */
  long long period_ns = (long long)(1e9 / rate_hz), origin_ns = now_ns();
  for (long tick = 1; tick <= ticks; tick++) {
    long long due_ns = origin_ns + tick * period_ns;
    struct timespec due = {.tv_sec = due_ns / 1000000000LL, .tv_nsec = due_ns % 1000000000LL};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    long long late_ns = now_ns() - due_ns;
    late_us[ran++] = late_ns / 1e3;
    /* As in the servo loop: deadlines that were missed are skipped and counted. */
    missed += late_ns / period_ns;
    tick += late_ns / period_ns;
  }
  qsort(late_us, ran, sizeof *late_us, ascending);
  printf("{\"ticks\":%ld,\"missed\":%ld,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}\n", ran, missed,
         late_us[ran / 2], late_us[(long)(ran * 0.99)], late_us[(long)(ran * 0.999)], late_us[ran - 1]);
  return 0;
}
