import { expect, it } from 'vitest'
import { junitCases, runWithin } from '../../support/cyclonus.ts'

it('reads each case of a JUnit report, and takes an empty one for no cases', () => {
  const xml = `<testsuite tests="0" failures="1" time="" name="cyclonus">
    <testcase classname="" name="deny all &amp; allow dns" time=""></testcase>
    <testcase classname="" name="short" time=""/>
    <testcase classname="" name="named port" time="">
        <failure message="" type=""></failure>
    </testcase>
</testsuite>`
  expect(junitCases(xml)).toEqual([
    { name: 'deny all &amp; allow dns', passed: true },
    { name: 'short', passed: true },
    { name: 'named port', passed: false },
  ])
  expect(junitCases('<testsuite name="cyclonus"></testsuite>')).toEqual([])
})

it('kills a program whose time is over, and says so', async () => {
  const forever = ['--eval', 'setInterval(() => {}, 1_000)']
  await expect(runWithin(300, process.execPath, forever, process.env)).rejects.toThrow(
    /^\S+ was killed: its time is 0\.3 s$/,
  )
})

it('passes on how a program failed', async () => {
  await expect(runWithin(60_000, process.execPath, ['--eval', 'process.exit(3)'], process.env)).rejects.toThrow(
    'ended with 3',
  )
})
