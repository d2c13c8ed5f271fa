"""The processes between the local cloud and a command, so that nothing of the command is ever lost sight of.

Forked by the *forge* (`forge.py`), a process that the cloud starts without site-packages and that shares its memory
with all of them. A supervisor's arguments are::

    [--mounts=FD] [--network=FD] [--claims=FD,...] [--cgroup=DIR]... [--patience=SECONDS]
        CONSOLE LOCK SCRATCH (stay|follow) [COMMAND ARG ...]

It is two processes. The *keeper* (`keeper.py`), a child of the forge, copies the command's output to the bounded
CONSOLE file and takes one order from the cloud: a number of seconds of grace, then the end. The *init* (`init.py`), a
child of the keeper, starts the command and is the parent to which all of its orphans fall. Both are child subreapers
(prctl(2), PR_SET_CHILD_SUBREAPER), so a daemon that forks twice and leaves its session is still found. If the keeper
dies, the init ends the whole tree at once; if the init dies, the keeper does.

If the cloud dies, the tree lives on, and the keeper waits for SECONDS at a *door*, a Unix socket beside LOCK, for the
next cloud to take it up (`adopt`) or to end it (`dismiss`). Where nobody comes it ends the tree, and takes the *mark*
away, a file beside LOCK. A mark without a supervisor tells that the tree ended by itself while no cloud looked.

With `stay` the tree lives on after the command has ended, as a machine does after a boot script; with `follow` it
ends with it. LOCK is held for as long as either process lives: a successor waits for it. SCRATCH is removed at the
end. The options name where the tree shall live: namespaces that the cloud hands down as open files, and control
groups, which are removed at the end. A claim is a file that is kept open, and handed to a later cloud that asks for it
at the door (`claims`); at the door the cloud also hands over what is to be held in place of that (`hold`).

Lines on the link to the cloud tell `started`, `refused REASON` (by the system), `barred REASON` (by a predecessor) and
`exited CODE`, and are told again to a cloud that adopts; the end of the lines and the free LOCK say that nothing is
left.
"""

DOOR_NAME = "door"
MARK_NAME = "running"
MOST_CLAIMS = 80
"""Claims that a supervisor holds at most: the addresses of an instance that has all interfaces that it may have. The
system hands over 253 files at once (SCM_MAX_FD of unix(7))."""
