"""Each benchmark program refuses what it cannot use in one line on stderr, with status 2, and measures nothing."""
import pathlib
import subprocess
import sys

OUT = ['--out', '/dev/null/x']
REFUSED = {
    'bench_micro': [['--unknown'], ['--pool'], ['--pool', '/dev/null'], OUT],
    'bench_hot': [['--unknown'], ['--benchmark_filtre=x'], ['--tokens', '5'], ['--tokens'],
                  ['--scaling-rounds', '-1'], OUT],
    'bench_latency': [['--unknown'], ['--pairs', '0'], ['--pairs', '010'], ['--pairs', '99999999999999999999'],
                      ['--slice', 'nan'], OUT],
    'bench_gateway': [['--unknown'], ['--rounds', 'x'], ['--slice'], OUT],
    'bench_outage': [[], ['walk'], ['run'], ['run', '--factor', '0', 'x'], ['run', *OUT, 'x'],
                     ['run', '--pool', '/tmp', 'x'], ['list', '--pool', '/tmp', 'x'], ['list', '/dev/null/x']],
    'bench_fleet': [['--unknown'], ['--instances', '0'], ['--seed', '-1'], ['--seed', '9223372036854775808'],
                    ['--timing'], ['--timing', 'tea=5000'], ['--timing', 'jitter_percent=0x20'],
                    ['--timing', 'backoff_min_ms=0x3e8'], ['--timing', 'refresh_min_ms=86400000'], OUT],
    'bench_report': [[], ['walk'], ['collect'], ['collect', 'x'],
                     ['collect', '--gates', '/dev/null', '--mode', 'quick', '--out', '/dev/null'],
                     ['collect', '--gates', 'x', '--mode', 'fast', '--out', 'x'],
                     ['render', 'x'], ['render', '/dev/null/x', 'y']],
}

directory = pathlib.Path(sys.argv[1])
failed = False
for program, lines in REFUSED.items():
    for line in lines:
        run = subprocess.run([directory / program, *line], capture_output=True, text=True, timeout=60)
        if (run.returncode != 2 or run.stdout or run.stderr.count('\n') != 1
                or not run.stderr.startswith(program + ': ')):
            failed = True
            print(f'{program} {line}: {run.returncode}, {run.stdout!r}, {run.stderr!r}')
    run = subprocess.run([directory / program, '--help'], capture_output=True, text=True, timeout=60)
    if run.returncode != 0 or run.stderr or f'Usage: {program} ' not in run.stdout:
        failed = True
        print(f'{program} --help: {run.returncode}, {run.stdout!r}, {run.stderr!r}')
sys.exit(failed)
